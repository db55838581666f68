/**
 * From a path to a place: components, "..", symlinks, mounts, and the right to search each directory on the way.
 *
 * Paths that do not begin with "/" start at the directory that the call names, by default the root: processes have no
 * working directory of their own.
 * Errors   ENOENT, ENOTDIR, EACCES (search), ELOOP (40 symlinks), ENAMETOOLONG, EPERM (a name with '.' in bpffs).
 * Source   fs/namei.c: link_path_walk(), walk_component(), filename_create(); kernel/bpf/inode.c: bpf_lookup().
 */
import { EEXIST, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM } from "../../abi/errno.ts";
import { type Dentry, type DirDentry, isDir, S_IALLUGO } from "./inode.ts";
import { across, type Path } from "./mountns.ts";
import { checkPermission, type FsCall, fail, MAY_EXEC, wantWrite } from "./permission.ts";

const MAX_SYMLINKS = 40;
const NAME_MAX = 255;
const PATH_MAX = 4096;

export type DirPath = Path & { readonly dentry: DirDentry };

/** A directory and what is the last component in it. */
export interface Parent {
  readonly dir: DirPath;
  readonly last: string;
  /** "norm", or what cannot be created, removed or renamed: ".", "..", the root itself. */
  readonly kind: "norm" | "dot" | "dotdot" | "root";
  /** The path ends in "/": only a directory will do. */
  readonly slash: boolean;
}

/** @param follow whether a symlink at the end is followed */
export function lookup(call: FsCall, start: Path, text: string, follow = true, budget = { symlinks: 0 }): Path {
  const { dir, last, kind, slash } = parentOf(call, start, text, budget);
  if (kind === "root" || kind === "dot") return dir;
  if (kind === "dotdot") return up(dir);
  const dentry = lookupIn(call, dir, last);
  if (!dentry) throw fail(call, ENOENT, `there is no '${last}'`);
  const at = settle(call, dir, dentry, follow || slash, budget);
  if (slash && !isDir(at.dentry)) throw fail(call, ENOTDIR, `'${last}' is no directory`);
  return at;
}

/** Walks all but the last component. */
export function parentOf(call: FsCall, start: Path, text: string, budget = { symlinks: 0 }): Parent {
  if (text === "") throw fail(call, ENOENT, "the path is empty");
  if (text.length >= PATH_MAX) throw fail(call, ENAMETOOLONG, `the path has ${text.length} bytes`);
  const names = text.split("/").filter(Boolean);
  let at = directory(call, text.startsWith("/") ? call.who.mountns.root : start, "where the path starts");
  const last = names.pop();
  if (last === undefined) return { dir: at, last: "", kind: "root", slash: true };
  for (const name of names) {
    checkPermission(call, at.dentry, MAY_EXEC);
    at = directory(call, step(call, at, name, budget), name);
  }
  checkPermission(call, at.dentry, MAY_EXEC);
  const kind = last === "." ? "dot" : last === ".." ? "dotdot" : "norm";
  return { dir: at, last, kind, slash: text.endsWith("/") };
}

/** Where a new name goes. @throws EEXIST, EROFS */
export function placeFor(
  call: FsCall,
  start: Path,
  text: string,
  asDir: boolean,
): { readonly dir: DirPath; readonly last: string } {
  const { dir, last, kind, slash } = parentOf(call, start, text);
  if (kind !== "norm" || lookupIn(call, dir, last)) throw fail(call, EEXIST, "the name is taken");
  if (slash && !asDir) throw fail(call, ENOENT, "the path ends in '/'");
  wantWrite(call, dir.mount);
  return { dir, last };
}

/** The entry of that name in a directory, mounts and symlinks left alone. @throws EPERM, ENAMETOOLONG */
export function lookupIn(call: FsCall, dir: DirPath, name: string): Dentry | undefined {
  const { inode } = dir.dentry;
  const found = inode.children.get(name);
  if (found) return found;
  if (inode.fs.fsType.refusesDots && inode.mode & S_IALLUGO && name.includes(".")) {
    throw fail(call, EPERM, `'${name}': names in bpffs must not contain '.'`);
  }
  if (new TextEncoder().encode(name).length > NAME_MAX) {
    throw fail(call, ENAMETOOLONG, `a name has ${name.length} bytes; wanted at most ${NAME_MAX}`);
  }
  return undefined;
}

function step(call: FsCall, dir: DirPath, name: string, budget: { symlinks: number }): Path {
  if (name === ".") return dir;
  if (name === "..") return up(dir);
  const dentry = lookupIn(call, dir, name);
  if (!dentry) throw fail(call, ENOENT, `there is no '${name}'`);
  return settle(call, dir, dentry, true, budget);
}

/** Crosses mounts, and follows the dentry if it is a symlink. */
function settle(call: FsCall, dir: DirPath, dentry: Dentry, follow: boolean, budget: { symlinks: number }): Path {
  const at = across({ mount: dir.mount, dentry });
  if (!follow || at.dentry.inode.type !== "symlink") return at;
  if (++budget.symlinks > MAX_SYMLINKS) throw fail(call, ELOOP, `more than ${MAX_SYMLINKS} symlinks`);
  return lookup(call, dir, at.dentry.inode.target, true, budget);
}

function up(dir: DirPath): DirPath {
  let at: Path = dir;
  while (at.dentry === at.mount.root) {
    if (!at.mount.place) return at as DirPath;
    at = at.mount.place;
  }
  return across({ mount: at.mount, dentry: at.dentry.parent! }) as DirPath;
}

function directory(call: FsCall, at: Path, name: string): DirPath {
  if (!isDir(at.dentry)) throw fail(call, ENOTDIR, `'${name}' is no directory`);
  return at as DirPath;
}
