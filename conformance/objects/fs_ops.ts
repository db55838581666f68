/** Operations on bpffs and its mounts, and what must hold of a file system after each. */

import type { Dentry, Inode } from "../../src/kernel/bpffs/inode.ts";
import { isDir } from "../../src/kernel/bpffs/inode.ts";
import { pathText } from "../../src/kernel/bpffs/mountns.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Op } from "./ops.ts";
import { BPFFS, pick } from "./scene.ts";

const MOUNT_POINTS = [BPFFS, "/mnt", "/tmp", `${BPFFS}/a`, "/mnt/b"] as const;
const TOPS = [BPFFS, BPFFS, BPFFS, "/mnt", "/tmp"] as const;

/** Two levels of few names, so that they collide. */
function path(n: number): string {
  const top = pick(TOPS, n)!;
  const first = "abcd"[(n >> 3) % 4];
  return (n >> 5) % 3 ? `${top}/${first}` : `${top}/${first}/${"abcd"[(n >> 7) % 4]}`;
}

export const FS_OPS: readonly Op[] = [
  { name: "mkdir", weight: 2, run: (scene, a, b) => scene.proc(a).fs.mkdir(path(b)) },
  { name: "rmdir", run: (scene, a, b) => scene.proc(a).fs.rmdir(path(b)) },
  {
    name: "pin anywhere",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.objPin(scene.fd(proc, (["map", "prog", "link"] as const)[c % 3]!, c >> 2), path(b));
    },
  },
  { name: "unlink anywhere", run: (scene, a, b) => scene.proc(a).fs.unlink(path(b)) },
  {
    name: "rename",
    weight: 3,
    run: (scene, a, b, c) =>
      scene.proc(a).fs.rename(path(b), path(c), { exchange: a % 5 === 0, noreplace: a % 5 === 1 }),
  },
  { name: "link", weight: 2, run: (scene, a, b, c) => scene.proc(a).fs.link(path(b), path(c)) },
  { name: "symlink", run: (scene, a, b, c) => scene.proc(a).fs.symlink(path(b), path(c)) },
  {
    name: "open a path",
    weight: 2,
    run: (scene, a, b, c) =>
      void scene.proc(a).fs.open(c % 3 ? path(b) : pick(MOUNT_POINTS, b)!, { path: c % 2 === 0 }),
  },
  {
    name: "get by a directory's fd",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.objGet({ dirfd: scene.fd(proc, "path", b), path: "abcd"[c % 4]! });
    },
  },
  { name: "mount", weight: 2, run: (scene, a, b) => scene.proc(a).fs.mount(pick(MOUNT_POINTS, b)!) },
  {
    name: "bind",
    run: (scene, a, b, c) =>
      scene
        .proc(a)
        .fs.bind(c % 2 ? path(b) : pick(MOUNT_POINTS, b)!, pick(MOUNT_POINTS, c)!, { recursive: c % 3 === 0 }),
  },
  {
    name: "umount",
    weight: 2,
    run: (scene, a, b, c) => scene.proc(a).fs.umount(pick(MOUNT_POINTS, b)!, { detach: c % 3 === 0 }),
  },
  {
    name: "unshare mounts",
    run(scene, a) {
      const proc = scene.proc(a);
      if (proc.caps.sysAdmin) proc.setMountns(proc.mountns.clone());
    },
  },
];

/** @throws Error when names, link counts, parents or mounts contradict each other */
export function checkFileSystems(kernel: Kernel): void {
  const namespaces = new Set([kernel.initMountns, ...[...kernel.processes].map((p) => p.mountns)]);
  const mounts = [...namespaces].flatMap((ns) => ns.mounts);
  for (const fs of new Set(mounts.map((m) => m.fs))) {
    const names = new Map<Inode, number>();
    const walk = (dentry: Dentry): void => {
      names.set(dentry.inode, (names.get(dentry.inode) ?? 0) + 1);
      for (const mount of dentry.mounts) {
        if (!mounts.includes(mount)) throw new Error(`${pathText({ mount, dentry })}: a mount of no namespace`);
      }
      if (!isDir(dentry)) return;
      const dirs = [...dentry.inode.children.values()].filter(isDir).length;
      if (dentry.inode.nlink !== 2 + dirs)
        throw new Error(`${dentry.rel}: nlink ${dentry.inode.nlink}, ${dirs} directories`);
      for (const [name, child] of dentry.inode.children) {
        if (child.parent !== dentry || child.name !== name) throw new Error(`${dentry.rel}/${name}: another parent`);
        walk(child);
      }
    };
    walk(fs.root);
    for (const [inode, count] of names) {
      if (inode.type === "dir" ? count !== 1 : inode.nlink !== count) {
        throw new Error(`inode ${inode.ino} of type ${inode.type}: nlink ${inode.nlink}, ${count} names`);
      }
      if (inode.type === "obj" && !fs.objInodes.has(inode)) throw new Error(`inode ${inode.ino} lost its object`);
    }
  }
}
