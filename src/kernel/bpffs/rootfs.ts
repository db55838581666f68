/** What a mount namespace starts with: directories to mount on, where a machine has them. Nothing in them is a file. */
import type { Events } from "../events.ts";
import type { UserNs } from "../userns.ts";
import { attach, type DirDentry, DirInode, isDir, S_ISVTX } from "./inode.ts";
import { MountNs } from "./mountns.ts";
import { BPFFS_ROOT, Bpffs, FS_TYPES } from "./super_block.ts";

const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  [BPFFS_ROOT, 0o755],
  ["/run", 0o755],
  ["/mnt", 0o755],
  ["/tmp", 0o777 | S_ISVTX],
];

/** A namespace with a root of its own; `bpffs`, if given, is at /sys/fs/bpf. */
export function newMountns(userns: UserNs, events: Events, bpffs?: Bpffs): MountNs {
  const fs = new Bpffs(FS_TYPES.ramfs, { userns, events, mode: 0o755 });
  for (const [path, mode] of DIRECTORIES) makeDirs(fs, path).inode.mode |= mode;
  const ns = new MountNs(userns, fs, events);
  fs.put();
  if (bpffs) ns.add(bpffs, bpffs.root, { mount: ns.mounts[0]!, dentry: makeDirs(fs, BPFFS_ROOT) });
  return ns;
}

function makeDirs(fs: Bpffs, path: string): DirDentry {
  let at = fs.root;
  for (const name of path.split("/").filter(Boolean)) {
    const next = at.inode.children.get(name) ?? attach(at, name, new DirInode(fs, { mode: 0o755, uid: 0, gid: 0 }));
    if (!isDir(next)) throw new Error(`${path}: ${name} is no directory`);
    at = next;
  }
  return at;
}
