/** What must hold of the bpf file systems of a kernel, whatever was done to them. */
import { type Dentry, type Inode, isDir } from "../../src/kernel/bpffs/inode.ts";
import { pathText } from "../../src/kernel/bpffs/mountns.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";

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
