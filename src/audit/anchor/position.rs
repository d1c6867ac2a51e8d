//! The newest entry that this node acknowledged or saw, in a file of two slots that are written in turn: a write that is
//! torn leaves the one before.
//!
//! ```text
//! slot, at 0 and at 4096:
//! "LHANCHR1" ‖ count 8 ‖ vault 16 ‖ incarnation 16 ‖ size 8 ‖ leaf hash 32 ‖ root 32 ‖ knows root 8 ‖ SHA-256 of these 32
//! ```
//! Numbers are big-endian. The slot that holds and has the higher count is the newest.

use crate::{domain::fence::Incarnation, merkle::Hash};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};
use uuid::Uuid;

const MAGIC: &[u8; 8] = b"LHANCHR1";
const BODY: usize = 128;
const SLOT: usize = BODY + 32;
/// Each slot has a page and a sector of its own, so that no write of the disk's touches both.
const APART: u64 = 4_096;

/// How far the log was, in which incarnation of the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The vault's incarnation.
    pub incarnation: Incarnation,
    /// How many entries there were.
    pub size: i64,
    /// The leaf hash of the newest of them; the one that stands for no entry where there were none.
    pub leaf_hash: Hash,
    /// The root over all of them, where it was known.
    pub root: Option<Hash>,
}

impl Position {
    /// Returns the newest entry: its sequence number and leaf hash.
    #[must_use]
    pub fn newest(&self) -> Option<(i64, Hash)> {
        (self.size > 0).then_some((self.size - 1, self.leaf_hash))
    }
}

/// A slot, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    count: u64,
    pub(super) vault: Uuid,
    pub(super) position: Position,
}

/// The file, open for writing.
pub(super) struct Slots {
    file: File,
    newest: Slot,
}

/// Reads the newest slot of a file; `None` where neither holds.
pub(super) fn read(file: &File) -> io::Result<Option<Slot>> {
    let mut newest: Option<Slot> = None;
    for at in [0, APART] {
        let mut bytes = [0; SLOT];
        match file.read_exact_at(&mut bytes, at) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(error),
        }
        if let Some(slot) = Slot::from_bytes(&bytes)
            && newest.is_none_or(|newest| newest.count < slot.count)
        {
            newest = Some(slot);
        }
    }
    Ok(newest)
}

impl Slots {
    /// Goes on with a file whose newest slot was read.
    pub(super) fn resume(file: File, newest: Slot) -> Self {
        Self { file, newest }
    }

    /// Fills an empty file with a first slot, and returns once it is on the disk.
    pub(super) fn begin(file: File, vault: Uuid, position: Position) -> io::Result<Self> {
        file.set_len(APART + APART)?;
        let newest = Slot { count: 0, vault, position };
        file.write_all_at(&newest.to_bytes(), 0)?;
        file.sync_all()?;
        Ok(Self { file, newest })
    }

    pub(super) fn position(&self) -> Position {
        self.newest.position
    }

    /// Writes a position over the older slot, into the kernel's memory: a crash of this process does not lose it, a power
    /// cut may. Costs one positioned write and one SHA-256 of 128 bytes.
    pub(super) fn write(&mut self, position: Position) -> io::Result<()> {
        let next = Slot { count: self.newest.count + 1, position, ..self.newest };
        self.file.write_all_at(&next.to_bytes(), (next.count % 2) * APART)?;
        self.newest = next;
        Ok(())
    }

    /// Returns the file, to be brought to the disk without holding up who writes.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Says whether the file that is open still stands at `path`: who writes into a removed one anchors nothing.
pub(super) fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, named) = (file.metadata()?, std::fs::metadata(path)?);
    Ok(open.dev() == named.dev() && open.ino() == named.ino())
}

impl Slot {
    fn to_bytes(self) -> [u8; SLOT] {
        let Self { count, vault, position: Position { incarnation, size, leaf_hash, root } } = self;
        let mut bytes = [0; SLOT];
        let known = u64::from(root.is_some());
        let root = root.map_or([0; Hash::LEN], |root| *root.as_bytes());
        let fields: [&[u8]; 8] = [
            MAGIC,
            &count.to_be_bytes(),
            vault.as_bytes(),
            &incarnation.0,
            &size.to_be_bytes(),
            leaf_hash.as_bytes(),
            &root,
            &known.to_be_bytes(),
        ];
        let mut at = 0;
        for field in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let check = Sha256::digest(&bytes[..BODY]);
        bytes[BODY..].copy_from_slice(&check);
        bytes
    }

    fn from_bytes(bytes: &[u8; SLOT]) -> Option<Self> {
        let (body, check) = bytes.split_at(BODY);
        if Sha256::digest(body).as_slice() != check {
            return None;
        }
        let mut rest = body;
        let magic: [u8; 8] = take(&mut rest)?;
        let count = u64::from_be_bytes(take(&mut rest)?);
        let vault = Uuid::from_bytes(take(&mut rest)?);
        let incarnation = Incarnation(take(&mut rest)?);
        let size = i64::from_be_bytes(take(&mut rest)?);
        let leaf_hash = Hash::from_bytes(take(&mut rest)?);
        let root = Hash::from_bytes(take(&mut rest)?);
        let known = u64::from_be_bytes(take(&mut rest)?);
        let position = Position { incarnation, size, leaf_hash, root: (known == 1).then_some(root) };
        (magic == *MAGIC && size >= 0).then_some(Self { count, vault, position })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(size: i64) -> Position {
        let leaf_hash = Hash::from_bytes([7; 32]);
        Position { incarnation: Incarnation([1; 16]), size, leaf_hash, root: (size % 2 == 0).then_some(leaf_hash) }
    }

    fn file() -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(directory.path().join("position"));
        (directory, file.unwrap())
    }

    #[test]
    fn the_newest_of_two_slots_is_read_back() {
        let (_kept, file) = file();
        let vault = Uuid::from_u128(9);
        let mut slots = Slots::begin(file.try_clone().unwrap(), vault, position(0)).unwrap();
        for size in 1..6 {
            slots.write(position(size)).unwrap();
            let read = read(&file).unwrap().unwrap();
            assert_eq!((read.vault, read.position), (vault, position(size)));
        }
        let mut slots = Slots::resume(file.try_clone().unwrap(), read(&file).unwrap().unwrap());
        slots.write(position(6)).unwrap();
        assert_eq!(read(&file).unwrap().unwrap().position, position(6));
    }

    #[test]
    fn a_torn_write_leaves_the_position_before_it() {
        for torn_after in [0, 1, 8, 64, BODY, SLOT - 1] {
            let (_kept, file) = file();
            let mut slots = Slots::begin(file.try_clone().unwrap(), Uuid::nil(), position(3)).unwrap();
            slots.write(position(4)).unwrap();
            let next = Slot { count: 2, vault: Uuid::nil(), position: position(5) }.to_bytes();
            file.write_all_at(&next[..torn_after], 0).unwrap();
            assert_eq!(read(&file).unwrap().unwrap().position, position(4), "torn after {torn_after} bytes");
        }
    }

    #[test]
    fn a_slot_with_one_bit_changed_does_not_hold() {
        let (_kept, file) = file();
        Slots::begin(file.try_clone().unwrap(), Uuid::nil(), position(3)).unwrap();
        for byte in 0..SLOT {
            let mut bytes = Slot { count: 0, vault: Uuid::nil(), position: position(3) }.to_bytes();
            bytes[byte] ^= 1;
            file.write_all_at(&bytes, 0).unwrap();
            assert_eq!(read(&file).unwrap(), None, "byte {byte}");
        }
    }
}
