//! The binary form: messages behind their lengths, first the `GlobalMetadata`, then the `Node`s.

use super::protobuf::{Wire, WireError, WireField, extend};
use super::{AttributeValue, NodeKind, TraceNode};

/// Reads the nodes of a file.
///
/// # Errors
/// What is wrong and at which byte, in one line.
pub(super) fn nodes(bytes: &[u8]) -> Result<Vec<TraceNode>, String> {
    let mut file = Wire::new(bytes);
    let mut nodes = Vec::new();
    let mut number = 0;
    while !file.is_empty() {
        let start = file.offset;
        let at = |error: WireError| format!("message {number}, which starts at byte {start}: {error}");
        let message = file.delimited().map_err(|error| at(WireError { offset: 0, ..error }))?;
        if number == 0 {
            metadata(message).map_err(at)?;
        } else {
            nodes.push(node(message).map_err(|reason| format!("message {number}, which starts at byte {start}: {reason}"))?);
        }
        number += 1;
    }
    if number == 0 { Err("the file is empty".to_owned()) } else { Ok(nodes) }
}

/// The first message says nothing about time; that it can be read tells a trace from another file.
fn metadata(message: &[u8]) -> Result<(), WireError> {
    let mut fields = Wire::new(message);
    while let Some((number, field)) = fields.field()? {
        if !matches!((number, field), (1 | 2, WireField::Bytes(_))) {
            return Err(WireError { offset: fields.offset, reason: "no GlobalMetadata of a Chakra trace: an unknown field" });
        }
    }
    Ok(())
}

fn node(message: &[u8]) -> Result<TraceNode, String> {
    let mut node = TraceNode::default();
    let mut attributes = Vec::new();
    let mut fields = Wire::new(message);
    while let Some((number, field)) = fields.field().map_err(|error| error.to_string())? {
        match (number, field) {
            (1, WireField::Varint(id)) => node.id = id,
            (2, WireField::Bytes(name)) => node.name = String::from_utf8_lossy(name).into_owned(),
            (3, WireField::Varint(kind)) => node.kind = NodeKind::numbered(kind).ok_or_else(|| format!("`type` {kind} is no kind of node"))?,
            (4, field) => extend(&mut node.after_control, field).map_err(|error| format!("control dependencies: {error}"))?,
            (5, field) => extend(&mut node.after, field).map_err(|error| format!("data dependencies: {error}"))?,
            (7, WireField::Varint(duration)) => node.duration_us = Some(duration),
            (10, WireField::Bytes(attribute)) => attributes.push(attribute),
            // Start times, inputs and outputs say nothing that a replay asks; later fields are those of later schemas.
            _ => {}
        }
    }
    for attribute in attributes {
        let (name, value) = attribute_of(attribute).map_err(|error| format!("an attribute of node {}: {error}", node.id))?;
        node.set(&name, &value)?;
    }
    Ok(node)
}

fn attribute_of(message: &[u8]) -> Result<(String, AttributeValue), WireError> {
    let (mut name, mut value) = (String::new(), AttributeValue::Else);
    let mut fields = Wire::new(message);
    while let Some((number, field)) = fields.field()? {
        match (number, field) {
            (1, WireField::Bytes(text)) => name = String::from_utf8_lossy(text).into_owned(),
            (3, WireField::Fixed64(bits)) => value = AttributeValue::Real(f64::from_bits(bits)),
            (5, WireField::Fixed32(bits)) => value = AttributeValue::Real(f64::from(f32::from_bits(bits))),
            // int32 and int64: negative numbers take all ten bytes.
            (7 | 9, WireField::Varint(bits)) => value = AttributeValue::Whole(i128::from(bits.cast_signed())),
            (11 | 13 | 27, WireField::Varint(number)) => value = AttributeValue::Whole(i128::from(number)),
            (15 | 17, WireField::Varint(bits)) => value = AttributeValue::Whole(i128::from((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()))),
            (19, WireField::Fixed32(number)) => value = AttributeValue::Whole(i128::from(number)),
            (21, WireField::Fixed64(number)) => value = AttributeValue::Whole(i128::from(number)),
            (23, WireField::Fixed32(bits)) => value = AttributeValue::Whole(i128::from(bits.cast_signed())),
            (25, WireField::Fixed64(bits)) => value = AttributeValue::Whole(i128::from(bits.cast_signed())),
            (29, WireField::Bytes(text)) => value = AttributeValue::Text(String::from_utf8_lossy(text).into_owned()),
            _ => {}
        }
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimited(message: &[u8]) -> Vec<u8> {
        let mut out = vec![u8::try_from(message.len()).unwrap()];
        out.extend(message);
        out
    }

    fn text(number: u8, text: &str) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        out.extend(delimited(text.as_bytes()));
        out
    }

    /// A collective of 1 MiB with two dependencies, one packed, and a size as a zigzag number.
    #[test]
    fn a_node_with_attributes_of_several_types() {
        let attribute = |name: &str, value: &[u8]| {
            let mut message = text(1, name);
            message.extend(value);
            let mut out = vec![10 << 3 | 2];
            out.extend(delimited(&message));
            out
        };
        let mut node = vec![1 << 3, 7];
        node.extend(text(2, "gather"));
        node.extend([3 << 3, 7, 4 << 3, 5, 5 << 3 | 2, 2, 0x80, 0x01, 7 << 3, 40]);
        node.extend(attribute("comm_type", &[9 << 3, 2]));
        // sint64_val: zigzag of 1 MiB.
        node.extend(attribute("comm_size", &[0x88, 0x01, 0x80, 0x80, 0x80, 0x01]));
        node.extend(attribute("pg_name", &[0xea, 0x01, 1, b'5']));
        let mut file = delimited(&text(1, "0.0.4"));
        file.extend(delimited(&node));
        let read = nodes(&file).unwrap();
        assert_eq!((read[0].id, read[0].name.as_str(), read[0].kind, read[0].duration_us), (7, "gather", NodeKind::Collective, Some(40)));
        assert_eq!((&read[0].after, read[0].bytes, read[0].group.as_deref()), (&vec![128], Some(1 << 20), Some("5")));
        assert_eq!(read[0].after_control, [5]);
        assert_eq!(read[0].collective, Some(super::super::TraceCollective::AllGather));
        for end in 0..file.len() {
            // Cut anywhere, it is an error or the metadata alone.
            assert!(nodes(&file[..end]).map_or(true, |nodes| nodes.is_empty()), "{end}");
        }
    }

    #[test]
    fn other_files_are_no_traces() {
        assert_eq!(nodes(&[]).unwrap_err(), "the file is empty");
        assert!(nodes(b"hello, world").unwrap_err().contains("starts at byte 0"));
        let mut file = delimited(&text(1, "0.0.4"));
        let mut attribute = text(1, "comm_type");
        attribute.extend([9 << 3, 99]);
        let mut node = vec![3 << 3, 7, 10 << 3 | 2];
        node.extend(delimited(&attribute));
        file.extend(delimited(&node));
        assert_eq!(
            nodes(&file).unwrap_err(),
            "message 1, which starts at byte 8: attribute `comm_type` of node 0 (``) is not a collective, 0 (ALL_REDUCE) to 9 (BARRIER)"
        );
    }
}
