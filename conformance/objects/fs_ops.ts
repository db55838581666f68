/** Operations of random sequences on bpffs and its mounts. */
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
