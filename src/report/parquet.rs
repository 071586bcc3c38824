//! Records as Apache Parquet: one row group, plain pages, nothing about the moment of writing.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::records::{Cells, Records};

/// Writes the file.
pub fn write(records: &Records, out: &mut (impl Write + Send)) -> io::Result<()> {
    file(records, out).map_err(|error| match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    })
}

fn file(records: &Records, out: &mut (impl Write + Send)) -> Result<()> {
    let fields = records.columns.iter().map(|(name, cells)| field(name, cells)).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
    let about = records.about.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let properties = WriterProperties::builder().set_created_by("supernode".to_owned()).set_key_value_metadata(Some(about)).build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (_, cells) in &records.columns {
        let Some(mut column) = group.next_column()? else { break };
        match cells {
            Cells::Text(cells) => {
                let values: Vec<ByteArray> = cells.iter().flatten().map(|cell| ByteArray::from(cell.as_str())).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels(cells)), None)?;
            }
            Cells::Number(cells) => {
                let values: Vec<f64> = cells.iter().flatten().copied().collect();
                column.typed::<DoubleType>().write_batch(&values, Some(&levels(cells)), None)?;
            }
            Cells::Whole(cells) => {
                let values: Vec<i64> = cells.iter().flatten().copied().collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&levels(cells)), None)?;
            }
            Cells::Truth(cells) => {
                let values: Vec<bool> = cells.iter().flatten().copied().collect();
                column.typed::<BoolType>().write_batch(&values, Some(&levels(cells)), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// One where there is a value, zero where there is none.
fn levels<T>(cells: &[Option<T>]) -> Vec<i16> {
    cells.iter().map(|cell| i16::from(cell.is_some())).collect()
}

fn field(name: &str, cells: &Cells) -> Result<Arc<Type>> {
    let physical = match cells {
        Cells::Text(_) => Physical::BYTE_ARRAY,
        Cells::Number(_) => Physical::DOUBLE,
        Cells::Whole(_) => Physical::INT64,
        Cells::Truth(_) => Physical::BOOLEAN,
    };
    let logical = matches!(cells, Cells::Text(_)).then_some(LogicalType::String);
    Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
}
