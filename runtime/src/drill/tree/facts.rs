//! All of a file but its contents.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};

/// The most that Linux stores in all names, or in one value, of extended attributes, in bytes
/// (`XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of linux/limits.h).
const XATTRS: usize = 64 * 1024;

/// All but the contents.
pub(super) struct Facts {
    pub is_directory: bool,
    pub is_file: bool,
    metadata: Metadata,
    target: Option<PathBuf>,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

impl Facts {
    pub fn read(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        Ok(Self {
            is_directory: kind.is_dir(),
            is_file: kind.is_file(),
            target: if kind.is_symlink() { Some(fs::read_link(path)?) } else { None },
            attributes: attributes(path)?,
            metadata,
        })
    }

    /// The first that differs.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let (ours, theirs) = (&self.metadata, &other.metadata);
        let kind = ours.file_type();
        let is_device = kind.is_block_device() || kind.is_char_device();
        let checks = [
            (kind != theirs.file_type(), "it is of another type"),
            (ours.mode() != theirs.mode(), "its mode differs"),
            ((ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid()), "its owner differs"),
            (self.is_file && ours.size() != theirs.size(), "its size differs"),
            (modified(ours) != modified(theirs), "its time of modification differs"),
            (!self.is_directory && ours.nlink() != theirs.nlink(), "it has another number of hard links"),
            (self.target != other.target, "it points elsewhere"),
            (is_device && ours.rdev() != theirs.rdev(), "it is another device"),
            (self.attributes != other.attributes, "its extended attributes differ"),
        ];
        checks.into_iter().find_map(|(differs, what)| differs.then_some(what))
    }
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

/// The extended attributes; none where the filesystem has none.
fn attributes(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let mut list = vec![0; XATTRS];
    let length = match llistxattr(path, &mut list[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut attributes = BTreeMap::new();
    for name in list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = OsStr::from_bytes(name);
        let mut value = vec![0; XATTRS];
        let length = lgetxattr(path, name, &mut value[..])?;
        value.truncate(length);
        attributes.insert(name.to_owned(), value);
    }
    Ok(attributes)
}
