/**
 * mount(2) and umount(2).
 *
 * Errors   EPERM without CAP_SYS_ADMIN in the namespace's owner, ENOTDIR a directory on a file or the reverse, EINVAL no
 *          mount, EBUSY a mount that has mounts on it or open paths in it.
 * Differs  a bpffs for another user namespace, which Linux makes by fsopen() there and FSCONFIG_CMD_CREATE by a
 *          privileged process, is one call of the privileged process here.
 * Source   fs/namespace.c: path_mount(), do_new_mount(), do_loopback(), path_umount(), do_umount().
 */
import { EBUSY, EINVAL, ENOENT, ENOTDIR, EPERM } from "../../abi/errno.ts";
import type { Task } from "../task.ts";
import type { MountOptions } from "./fs_api.ts";
import { isDir } from "./inode.ts";
import type { Mount, Path } from "./mountns.ts";
import { type FsCall, fail } from "./permission.ts";
import type { Bpffs } from "./super_block.ts";
import { lookup } from "./walk.ts";

/** Mounts a fresh bpffs in the namespace of `target`, which may be another process than the one that mounts. */
export function mountBpffs(call: FsCall, target: Task, at: string, options: MountOptions): void {
  const place = lookup({ ...call, who: target }, target.mountns.root, at);
  checkMayMount(call, target);
  // bpf_fill_super(): only who is privileged in the first user namespace makes one.
  if (!call.who.cred.userns.isInit)
    throw fail(call, EPERM, "a bpffs is made with CAP_SYS_ADMIN in the first user namespace");
  const { readonly = false, ...rest } = options;
  const { uid, gid } = target.cred;
  const fs = target.kernel.newBpffs({ uid, gid, ...rest, userns: target.cred.userns });
  try {
    graft(call, target, fs, fs.root, place).readonly = readonly;
  } finally {
    fs.put();
  }
}

export function bind(call: FsCall, from: string, at: string, recursive: boolean): void {
  const { who } = call;
  const ns = who.mountns;
  const place = lookup(call, ns.root, at);
  checkMayMount(call, who);
  const source = lookup(call, ns.root, from);
  if (!ns.mounts.includes(source.mount)) throw fail(call, EINVAL, `${from} is in another mount namespace`);
  // Listed before the new mount can be one of them.
  const inside = recursive ? ns.mounts.filter((m) => m.place && below(m.place, source)) : [];
  const copies = new Map([[source.mount, graft(call, who, source.mount.fs, source.dentry, place)]]);
  copies.get(source.mount)!.readonly = source.mount.readonly;
  for (const mount of inside) {
    const on = { mount: copies.get(mount.place!.mount)!, dentry: mount.place!.dentry };
    const copy = ns.add(mount.fs, mount.root, on);
    copy.readonly = mount.readonly;
    copies.set(mount, copy);
  }
}

/** Whether a mount point lies on `top` or on a mount that does. */
function below(place: Path, top: Path): boolean {
  for (let at: Path | undefined = place; at; at = at.mount.place) {
    if (at.mount === top.mount) return top.dentry.covers(at.dentry);
  }
  return false;
}

function graft(call: FsCall, target: Task, fs: Bpffs, root: Path["dentry"], place: Path): Mount {
  if (isDir(root) !== isDir(place.dentry))
    throw fail(call, ENOTDIR, "a directory mounts on a directory, a file on a file");
  if (isDir(place.dentry) && place.dentry.inode.dead) throw fail(call, ENOENT, "the mount point was removed");
  const mount = target.mountns.add(fs, root, place);
  call.who.kernel.events.emit({ what: "mount", path: mount.at });
  return mount;
}

export function remount(call: FsCall, at: string, readonly: boolean, onlyMount: boolean): void {
  const mount = mountAt(call, at);
  if (onlyMount) mount.readonly = readonly;
  else mount.fs.readonly = readonly;
}

export function umount(call: FsCall, at: string, lazy: boolean): void {
  const mount = mountAt(call, at);
  const ns = call.who.mountns;
  if (mount.locked) throw fail(call, EINVAL, "the mount came from a more privileged mount namespace");
  if (!mount.place) throw fail(call, EBUSY, "it is the root of the namespace");
  const tree = ns.tree(mount);
  if (!lazy) {
    if (tree.length > 1) throw fail(call, EBUSY, `${tree[0]!.at} is mounted in it`);
    if (mount.opens) throw fail(call, EBUSY, `${mount.opens} paths in it are open`);
  }
  ns.umountTree(mount);
}

/** @throws EINVAL unless the path is the root of a mount */
function mountAt(call: FsCall, at: string): Mount {
  const { mount, dentry } = lookup(call, call.who.mountns.root, at);
  checkMayMount(call, call.who);
  if (dentry !== mount.root) throw fail(call, EINVAL, "nothing is mounted there");
  return mount;
}

function checkMayMount(call: FsCall, target: Task): void {
  const { caps, userns } = call.who.cred;
  if (!caps.sysAdmin || !userns.covers(target.mountns.userns)) {
    throw fail(call, EPERM, "mounting needs CAP_SYS_ADMIN in the user namespace of the mount namespace");
  }
}
