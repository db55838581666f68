/** A test that is killed half-way leaves nothing: fds end with the process, pins and cgroups are swept at the next start. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { cgroupRoot, mountPoints } from "../../src/node/linux/index.ts";
import { newPinDir, sweep, whyNotLinux, withLinux } from "../support/kernels.ts";

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["-e", "process.kill(process.pid, 'SIGKILL')"]).pid;
}

describe.skipIf(whyNotLinux)("leftovers of killed tests", () => {
  it("pins and cgroups of dead processes are removed, those of living ones stay", () => {
    withLinux((bpf) => {
      const dead = `skep-${deadPid()}-x`;
      const alive = `skep-${process.pid}-leftovers`;
      for (const name of [dead, alive]) {
        const [, pid, rest] = name.split("-");
        const pins = newPinDir(bpf, rest, Number(pid));
        mkdirSync(join(cgroupRoot(), name, "inner"), { recursive: true });
        const fd = bpf.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1, name: "skep_left" });
        bpf.objPin(fd, join(pins, "map"));
        bpf.close(fd);
      }
      const left = () => [...mountPoints("bpf").map((at) => basename(at)), ...readdirSync(cgroupRoot())];
      sweep(bpf);
      expect(left().filter((name) => name === dead || name === alive)).toEqual([alive, alive]);
      sweep(bpf, alive);
      expect(left()).not.toContain(alive);
    });
  });

  it("closing ends every object that was opened", () => {
    withLinux((outer) => {
      const ids = withLinux((bpf) => {
        const fd = bpf.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1, name: "skep_gone" });
        const copy = bpf.dup(fd);
        return [bpf.mapInfo(fd).id, bpf.mapInfo(copy).id];
      });
      expect(ids[0]).toBe(ids[1]);
      expect(() => outer.mapGetFdById(ids[0]!)).toThrow("ENOENT");
    });
  });
});
