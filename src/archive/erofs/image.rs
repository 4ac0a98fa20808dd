//! The index as the kernel reads it: superblock, inodes, folders (`fs/erofs/erofs_fs.h`).

use super::nodes::{Index, Node, NodeId, NodeKind, ROOT};
use super::xattrs;
use crate::archive::member::Time;
use std::io::{self, Write};

/// Of the index, and of the tar.
const BLOCK: u64 = 512;
const BLOCK_BITS: u8 = 9;
/// Where inodes start: behind the superblock, at 1024, and the one device.
const META_BLOCK: u64 = 4;
const SUPERBLOCK: usize = 1024;
const DEVICE_SLOT: usize = 1152;
const MAGIC: u32 = 0xE0F5_E1E2;
/// `EROFS_FEATURE_INCOMPAT_CHUNKED_FILE` and `…_DEVICE_TABLE`.
const INCOMPAT: u32 = 0x4 | 0x8;
/// Inodes are numbered by their place, in units of so many bytes.
const SLOT: u64 = 32;
/// `struct erofs_inode_extended`: the one with nanoseconds.
const INODE: u64 = 64;
/// `struct erofs_inode_chunk_index`.
const CHUNK_INDEX: u64 = 8;
/// `EROFS_CHUNK_FORMAT_INDEXES`: where a chunk is is said with the number of its device.
const CHUNK_INDEXES: u32 = 0x20;
const FLAT_PLAIN: u16 = 0;
const FLAT_INLINE: u16 = 2;
const CHUNK_BASED: u16 = 4;
/// `struct erofs_dirent`, without the name.
const DIRENT: usize = 12;
/// A longer link gets a block of its own.
const MAX_INLINE_LINK: usize = 256;

/// Where everything goes.
struct Layout {
    /// Nodes that have names, in the order of their inodes.
    order: Vec<NodeId>,
    /// Place of each node's inode from the first one, bytes.
    at: Vec<u64>,
    /// First block of a folder or long link.
    block: Vec<u32>,
    /// Bytes of a folder.
    size: Vec<u64>,
    /// Of the whole index.
    blocks: u64,
}

impl Index {
    /// Writes it. `uuid` tells it from others: overlayfs wants that of its lower layers.
    pub fn write(&self, uuid: [u8; 16], output: impl Write) -> io::Result<()> {
        let layout = self.layout();
        let mut output = Counted { output, count: 0 };
        output.write_all(&self.head(&layout, uuid))?;
        let mut bytes = Vec::new();
        for id in &layout.order {
            output.pad_to(META_BLOCK * BLOCK + layout.at[*id as usize])?;
            bytes.clear();
            self.inode(*id, &layout, &mut bytes);
            output.write_all(&bytes)?;
        }
        for id in &layout.order {
            let node = self.get(*id);
            bytes.clear();
            match &node.kind {
                NodeKind::Folder { .. } => self.folder_data(*id, &layout, &mut bytes),
                NodeKind::Symlink(target) if target.len() > MAX_INLINE_LINK => bytes.extend_from_slice(target),
                _ => continue,
            }
            output.pad_to(u64::from(layout.block[*id as usize]) * BLOCK)?;
            output.write_all(&bytes)?;
        }
        output.pad_to(layout.blocks * BLOCK)?;
        output.output.flush()
    }

    fn layout(&self) -> Layout {
        let count = self.nodes.len();
        let mut layout =
            Layout { order: self.named(), at: vec![0; count], block: vec![0; count], size: vec![0; count], blocks: 0 };
        let mut end = 0;
        for id in &layout.order {
            let node = self.get(*id);
            let body = INODE + xattrs::size(node) as u64;
            let length = match &node.kind {
                NodeKind::File { size, .. } if *size > 0 => body.next_multiple_of(CHUNK_INDEX) + CHUNK_INDEX,
                NodeKind::Symlink(target) if target.len() <= MAX_INLINE_LINK => {
                    // What stands behind an inode must not go over the end of a block.
                    while (end + body) % BLOCK + target.len() as u64 > BLOCK {
                        end += SLOT;
                    }
                    body + target.len() as u64
                }
                _ => body,
            };
            layout.at[*id as usize] = end;
            end = (end + length).next_multiple_of(SLOT);
        }
        let mut block = META_BLOCK + end.div_ceil(BLOCK);
        for id in &layout.order {
            let size = match &self.get(*id).kind {
                NodeKind::Folder { .. } => self.folder_size(*id),
                NodeKind::Symlink(target) if target.len() > MAX_INLINE_LINK => target.len() as u64,
                _ => continue,
            };
            layout.block[*id as usize] = block as u32;
            layout.size[*id as usize] = size;
            block += size.div_ceil(BLOCK);
        }
        layout.blocks = block;
        layout
    }

    /// Nodes that are reached from the root, in the order in which a walk meets them; once each.
    fn named(&self) -> Vec<NodeId> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        let mut ahead = vec![ROOT];
        while let Some(id) = ahead.pop() {
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            order.push(id);
            if let NodeKind::Folder { names, .. } = &self.get(id).kind {
                ahead.extend(names.values().rev());
            }
        }
        order
    }

    fn head(&self, layout: &Layout, uuid: [u8; 16]) -> Vec<u8> {
        let mut head = vec![0; (META_BLOCK * BLOCK) as usize];
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        put(SUPERBLOCK, &MAGIC.to_le_bytes());
        put(SUPERBLOCK + 12, &[BLOCK_BITS]);
        // The root's number, at 14, is 0: its inode is the first one.
        put(SUPERBLOCK + 16, &(layout.order.len() as u64).to_le_bytes());
        put(SUPERBLOCK + 36, &(layout.blocks as u32).to_le_bytes());
        put(SUPERBLOCK + 40, &(META_BLOCK as u32).to_le_bytes());
        put(SUPERBLOCK + 48, &uuid);
        put(SUPERBLOCK + 80, &INCOMPAT.to_le_bytes());
        put(SUPERBLOCK + 86, &1u16.to_le_bytes());
        put(SUPERBLOCK + 88, &((DEVICE_SLOT / 128) as u16).to_le_bytes());
        // `struct erofs_deviceslot`: a tag of 64 bytes, then the blocks of the tar.
        put(DEVICE_SLOT + 64, &(self.tar_size.div_ceil(BLOCK) as u32).to_le_bytes());
        head
    }

    fn inode(&self, id: NodeId, layout: &Layout, bytes: &mut Vec<u8>) {
        let node = self.get(id);
        let index = id as usize;
        let (form, size, union) = match &node.kind {
            NodeKind::Folder { .. } => (FLAT_PLAIN, layout.size[index], layout.block[index]),
            NodeKind::File { size: 0, .. } | NodeKind::Fifo => (FLAT_PLAIN, 0, 0),
            NodeKind::File { size, .. } => (CHUNK_BASED, *size, CHUNK_INDEXES | chunk_bits(*size)),
            NodeKind::Symlink(target) if target.len() > MAX_INLINE_LINK => {
                (FLAT_PLAIN, target.len() as u64, layout.block[index])
            }
            NodeKind::Symlink(target) => (FLAT_INLINE, target.len() as u64, 0),
            NodeKind::Device(_, number) => (FLAT_PLAIN, 0, *number),
        };
        let Time { seconds, nanoseconds } = node.mtime;
        // The lowest bit: the extended form.
        bytes.extend((1 | form << 1).to_le_bytes());
        bytes.extend(xattrs::count(node).to_le_bytes());
        bytes.extend(((file_type(node) | node.mode) as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(union.to_le_bytes());
        bytes.extend((id + 1).to_le_bytes());
        bytes.extend(node.uid.to_le_bytes());
        bytes.extend(node.gid.to_le_bytes());
        bytes.extend(seconds.to_le_bytes());
        bytes.extend((nanoseconds as u32).to_le_bytes());
        bytes.extend(self.links(node).to_le_bytes());
        bytes.extend([0; 16]);
        xattrs::encode(node, bytes);
        match &node.kind {
            NodeKind::File { size, offset } if *size > 0 => {
                bytes.resize(bytes.len().next_multiple_of(CHUNK_INDEX as usize), 0);
                // The number of the device, then the block of the one chunk.
                bytes.extend([0; 2]);
                bytes.extend(1u16.to_le_bytes());
                bytes.extend(((offset / BLOCK) as u32).to_le_bytes());
            }
            NodeKind::Symlink(target) if target.len() <= MAX_INLINE_LINK => bytes.extend_from_slice(target),
            _ => {}
        }
    }

    fn links(&self, node: &Node) -> u32 {
        match &node.kind {
            NodeKind::Folder { names, .. } => {
                2 + names.values().filter(|child| self.get(**child).is_folder()).count() as u32
            }
            _ => node.links,
        }
    }

    /// Names, numbers and types of what is in a folder, in the order that the kernel searches by.
    fn entries(&self, id: NodeId) -> Vec<(&[u8], NodeId)> {
        let NodeKind::Folder { names, parent } = &self.get(id).kind else { return Vec::new() };
        let mut entries: Vec<(&[u8], NodeId)> = names.iter().map(|(name, child)| (&name[..], *child)).collect();
        entries.extend([(&b"."[..], id), (&b".."[..], *parent)]);
        entries.sort_unstable();
        entries
    }

    fn folder_size(&self, id: NodeId) -> u64 {
        let mut size = 0u64;
        for block in Blocks(&self.entries(id)) {
            size = size.next_multiple_of(BLOCK) + block.iter().map(entry_size).sum::<usize>() as u64;
        }
        size
    }

    /// Blocks of entries followed by their names: none goes over the end of its block.
    fn folder_data(&self, id: NodeId, layout: &Layout, bytes: &mut Vec<u8>) {
        for block in Blocks(&self.entries(id)) {
            bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), 0);
            let mut name_at = block.len() * DIRENT;
            for (name, child) in block {
                bytes.extend((layout.at[*child as usize] / SLOT).to_le_bytes());
                bytes.extend((name_at as u16).to_le_bytes());
                bytes.extend([dirent_type(self.get(*child)), 0]);
                name_at += name.len();
            }
            for (name, _) in block {
                bytes.extend_from_slice(name);
            }
        }
    }
}

/// Entries in parts that fill a block at most.
struct Blocks<'a, 'b>(&'a [(&'b [u8], NodeId)]);

impl<'a, 'b> Iterator for Blocks<'a, 'b> {
    type Item = &'a [(&'b [u8], NodeId)];

    fn next(&mut self) -> Option<Self::Item> {
        let mut size = 0;
        let fits = self.0.iter().take_while(|entry| {
            size += entry_size(entry);
            size <= BLOCK as usize
        });
        let (block, rest) = self.0.split_at(fits.count());
        self.0 = rest;
        (!block.is_empty()).then_some(block)
    }
}

fn entry_size((name, _): &(&[u8], NodeId)) -> usize {
    DIRENT + name.len()
}

/// A chunk as large as the file, as a power of two of blocks.
fn chunk_bits(size: u64) -> u32 {
    size.div_ceil(BLOCK).next_power_of_two().trailing_zeros()
}

fn file_type(node: &Node) -> u32 {
    match &node.kind {
        NodeKind::Folder { .. } => libc::S_IFDIR,
        NodeKind::File { .. } => libc::S_IFREG,
        NodeKind::Symlink(_) => libc::S_IFLNK,
        NodeKind::Device(kind, _) => *kind,
        NodeKind::Fifo => libc::S_IFIFO,
    }
}

/// `FT_…` of the kernel (`fs_types.h`).
fn dirent_type(node: &Node) -> u8 {
    match &node.kind {
        NodeKind::File { .. } => 1,
        NodeKind::Folder { .. } => 2,
        NodeKind::Device(libc::S_IFCHR, _) => 3,
        NodeKind::Device(..) => 4,
        NodeKind::Fifo => 5,
        NodeKind::Symlink(_) => 7,
    }
}

struct Counted<W> {
    output: W,
    count: u64,
}

impl<W: Write> Counted<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count += bytes.len() as u64;
        self.output.write_all(bytes)
    }

    fn pad_to(&mut self, end: u64) -> io::Result<()> {
        const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
        while self.count < end {
            let gap = (end - self.count).min(BLOCK) as usize;
            self.write_all(&ZEROS[..gap])?;
        }
        Ok(())
    }
}
