//! The wire format of protobuf, by hand: the schema's attributes are one of thirty number types that mean the same here, so that generated
//! types would be taken apart again at once; the format itself has four shapes.

use std::fmt;

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WireField<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Text, bytes, a message or a packed list.
    Bytes(&'a [u8]),
}

/// Where the bytes stop making sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireError {
    /// From the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl fmt::Display for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at byte {}", self.reason, self.offset)
    }
}

/// Bytes being read.
#[derive(Clone, Debug)]
pub(super) struct Wire<'a> {
    bytes: &'a [u8],
    pub offset: usize,
}

impl<'a> Wire<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    fn wrong(&self, reason: &'static str) -> WireError {
        WireError { offset: self.offset, reason }
    }

    pub fn varint(&mut self) -> Result<u64, WireError> {
        let start = self.clone();
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.offset).ok_or_else(|| start.wrong("a number that is cut off"))?;
            self.offset += 1;
            let digits = u64::from(byte & 0x7f);
            if shift == 63 && digits > 1 {
                return Err(start.wrong("a number of more than 64 bits"));
            }
            value |= digits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(start.wrong("a number of more than 64 bits"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let end = self.offset.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(|| self.wrong("a field that is cut off"))?;
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    /// What stands behind its own length.
    pub fn delimited(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Number and value of the next field; `None` at the end.
    pub fn field(&mut self) -> Result<Option<(u64, WireField<'a>)>, WireError> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.clone();
        let key = self.varint()?;
        let value = match key & 7 {
            0 => WireField::Varint(self.varint()?),
            1 => WireField::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().unwrap_or_default())),
            2 => WireField::Bytes(self.delimited()?),
            5 => WireField::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().unwrap_or_default())),
            _ => return Err(start.wrong("a field of no known shape")),
        };
        if key >> 3 == 0 { Err(start.wrong("a field without a number")) } else { Ok(Some((key >> 3, value))) }
    }
}

/// A number list, packed or not: adds what the field holds.
pub(super) fn extend(list: &mut Vec<u64>, field: WireField<'_>) -> Result<(), WireError> {
    match field {
        WireField::Varint(value) => list.push(value),
        WireField::Bytes(bytes) => {
            let mut packed = Wire::new(bytes);
            while !packed.is_empty() {
                list.push(packed.varint()?);
            }
        }
        WireField::Fixed64(_) | WireField::Fixed32(_) => return Err(WireError { offset: 0, reason: "a list of another type" }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for (bytes, expected) in
            [(&[0x00][..], 0), (&[0x7f], 127), (&[0xac, 0x02], 300), (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX)]
        {
            assert_eq!(Wire::new(bytes).varint(), Ok(expected));
        }
        let cut = Wire::new(&[0x80]).varint().unwrap_err();
        assert_eq!(cut.to_string(), "a number that is cut off at byte 0");
        assert!(Wire::new(&[0xff; 11]).varint().unwrap_err().reason.contains("64 bits"));
        assert!(Wire::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varint().is_err());
    }

    #[test]
    fn a_field_that_claims_more_than_there_is() {
        let mut wire = Wire::new(&[0x0a, 0x05, b'a', b'b']);
        assert_eq!(wire.field().unwrap_err().to_string(), "a field that is cut off at byte 2");
        assert_eq!(Wire::new(&[0x0b]).field().unwrap_err().reason, "a field of no known shape");
        assert_eq!(
            Wire::new(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).field().unwrap_err().reason,
            "a field that is cut off"
        );
    }
}
