//! Python's side of the library: questions, answers, and tables as Arrow streams.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::{DataType, Field, Schema};
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use supernode::{Answer, AnswerTable, ColumnCells};

create_exception!(supernode, Error, PyValueError, "What is wrong with a file or an option, underlined.");

/// How often a waiting question looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(20);

/// Questions that end sooner show no progress.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a command answers, and how long the library took for it.
#[pyclass(frozen, module = "supernode._native")]
struct Result(Answer, Duration);

#[pymethods]
impl Result {
    /// The bytes of `--format json`.
    #[getter]
    fn json(&self) -> String {
        self.0.json()
    }

    /// What `--format text` prints.
    #[getter]
    fn text(&self) -> &str {
        self.0.text()
    }

    /// Seconds that the library took: what a caller waits beyond them is the package's own.
    #[getter]
    fn seconds(&self) -> f64 {
        self.1.as_secs_f64()
    }

    /// Names of the tables, the main one first.
    #[getter]
    fn tables(&self) -> Vec<String> {
        self.0.table_names()
    }

    /// A table; the main one if none is named.
    #[pyo3(signature = (name=None))]
    fn table(&self, name: Option<&str>) -> PyResult<Table> {
        let unknown = || PyKeyError::new_err(self.0.no_table(name));
        self.0.table(name).map(Table).ok_or_else(unknown)
    }
}

/// A table of one type a column: an Arrow stream for pandas, polars, DuckDB and others.
#[pyclass(frozen, module = "supernode._native")]
struct Table(AnswerTable);

#[pymethods]
impl Table {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// Names of its columns.
    #[getter]
    fn columns(&self) -> Vec<&str> {
        self.0.columns().map(|(name, _)| name).collect()
    }

    fn __len__(&self) -> usize {
        self.0.rows()
    }

    /// The bytes of `--format csv`.
    fn csv(&self) -> String {
        self.0.csv()
    }

    /// The rows as an Arrow stream.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer answer with its own types.
        drop(requested_schema);
        const NAME: &CStr = c"arrow_array_stream";
        let batch = batch(&self.0).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let schema = batch.schema();
        let stream = FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
        PyCapsule::new(py, stream, Some(NAME.to_owned()))
    }
}

fn batch(table: &AnswerTable) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, cells) in table.columns() {
        let (kind, array): (DataType, ArrayRef) = match cells {
            ColumnCells::Text(cells) => (DataType::Utf8, Arc::new(cells.iter().map(Option::as_deref).collect::<StringArray>())),
            ColumnCells::Number(cells) => (DataType::Float64, Arc::new(cells.iter().copied().collect::<Float64Array>())),
            ColumnCells::Integer(cells) => (DataType::Int64, Arc::new(cells.iter().copied().collect::<Int64Array>())),
            ColumnCells::Boolean(cells) => (DataType::Boolean, Arc::new(cells.iter().copied().collect::<BooleanArray>())),
        };
        fields.push(Field::new(name, kind, true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Pieces of work done, of how many, and the word for them.
type Far = Option<(u64, u64, &'static str)>;

/// Asks a question in the words of the command line. `progress`, if any, is called with the pieces of work done, how many there are, and the word
/// for them; in this thread, when they have changed, and not for questions that end at once.
#[pyfunction]
#[pyo3(signature = (arguments, progress=None))]
fn ask(py: Python<'_>, arguments: Vec<String>, progress: Option<Bound<'_, PyAny>>) -> PyResult<Result> {
    let (sender, receiver) = channel();
    let far: Arc<Mutex<Far>> = Arc::default();
    let heard = Arc::clone(&far);
    // A thread of its own, so that Ctrl-C ends the waiting; what it computes is then dropped.
    std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let hear = move |done, of, pieces| {
            let mut far = heard.lock().unwrap_or_else(PoisonError::into_inner);
            // Threads report in any order.
            if far.is_none_or(|(before, ..)| before < done) {
                *far = Some((done, of, pieces));
            }
        };
        let start = Instant::now();
        let answer = supernode::ask_heard(&words, hear);
        let _ = sender.send(answer.map(|answer| Result(answer, start.elapsed())));
    })?;
    // Waits without Python's lock; a lock of its own lets the waiting move.
    let receiver = Mutex::new(receiver);
    let start = Instant::now();
    let mut shown = None;
    loop {
        let found = py.detach(|| receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK));
        let now = *far.lock().unwrap_or_else(PoisonError::into_inner);
        let is_long = start.elapsed() >= PATIENCE;
        if let (Some(progress), Some(far)) = (&progress, now.filter(|_| is_long && now != shown)) {
            progress.call1(far)?;
            shown = now;
        }
        match found {
            Ok(answer) => return answer.map_err(|error| Error::new_err(error.to_string())),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(PyRuntimeError::new_err("the question ended without an answer")),
        }
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("Error", module.py().get_type::<Error>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Result>()?;
    module.add_class::<Table>()?;
    module.add_function(wrap_pyfunction!(ask, module)?)
}
