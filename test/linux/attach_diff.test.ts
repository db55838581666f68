/**
 * Random attaching, detaching and asking on a small tree of cgroups and on a device: skep and the running Linux give the
 * same results, errnos and orders, step by step.
 */
import { describe, expect, it } from "vitest";
import { Random } from "../../conformance/fuzz/case.ts";
import * as abi from "../../src/abi/bpf.ts";
import { createKernel } from "../../src/net/create.ts";
import { Devices, inNetns, newNetns } from "../../src/node/linux/index.ts";
import { AttachScene, type AttachStep } from "../support/attach_scene.ts";
import { outcome } from "../support/bpffs.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";

const seed = Math.floor(Math.random() * 0x7fffffff);
const STEPS = 60;
const SEQUENCES = 25;

const TREE = ["a", "a/b", "a/b/c", "a/d"];
const {
  BPF_F_ALLOW_MULTI: MULTI,
  BPF_F_ALLOW_OVERRIDE: OVERRIDE,
  BPF_F_REPLACE: REPLACE,
  BPF_F_BEFORE: BEFORE,
  BPF_F_AFTER: AFTER,
  BPF_F_ID: ID,
  BPF_F_LINK: LINK,
  BPF_F_PREORDER: PREORDER,
} = abi;

/** A sequence of steps, the same whenever it is made from the same numbers. */
function sequence(random: Random, device: boolean): AttachStep[] {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const at = () => (device ? "dev" : pick(TREE));
  const name = () => `${device ? "cls" : "skb"}.${random.below(6)}`;
  const link = () => `L${random.below(4)}`;
  const order = () => pick([0, 0, 0, BEFORE, AFTER, BEFORE | AFTER]);
  const mode = () => (device ? 0 : pick([MULTI, MULTI, MULTI, MULTI | PREORDER, OVERRIDE, 0]));
  const revision = () => (random.below(10) === 0 ? { expectedRevision: BigInt(1 + random.below(8)) } : {});
  /** Flags and the relative that they are about. */
  const place = (links: boolean) => {
    const flags = order();
    if (random.below(3)) return { flags, extra: revision() };
    const byId = random.below(2) === 0;
    const byLink = links && random.below(2) === 0;
    const relative = byLink ? link() : name();
    return { flags: flags | (byId ? ID : 0) | (byLink ? LINK : 0), extra: { relative, byId, ...revision() } };
  };
  const make: (() => AttachStep)[] = [
    () => {
      const [where, who, m, { flags, extra }] = [at(), name(), mode(), place(true)];
      const replaced = random.below(4) === 0 ? { replace: name() } : {};
      const all = m | flags | ("replace" in replaced ? REPLACE : 0);
      return [`attach ${where} ${who} ${all}`, 0, (s) => s.attach(where, who, all, { ...extra, ...replaced })];
    },
    () => {
      const [where, who] = [at(), random.below(4) ? name() : undefined];
      const { flags, extra } = device ? place(true) : { flags: 0, extra: revision() };
      return [`detach ${where} ${who} ${flags}`, 0, (s) => s.detach(where, who, flags, extra)];
    },
    () => {
      const [where, which, who, { flags, extra }] = [at(), link(), name(), place(true)];
      const all = flags | (!device && random.below(4) === 0 ? PREORDER : 0);
      // A name stands for one link at a time.
      return [
        `link ${where} ${which} ${who} ${all}`,
        0,
        (s) => (s.hasLink(which) ? "taken" : s.link(where, which, who, all, extra)),
      ];
    },
    () => {
      const [which, who, old] = [link(), name(), random.below(3) ? undefined : name()];
      return [`update ${which} ${who} ${old}`, 0, (s) => (s.hasLink(which) ? s.update(which, who, old) : "none")];
    },
    () => {
      const which = link();
      return [`close ${which}`, 0, (s) => (s.hasLink(which) ? s.closeLink(which) : "none")];
    },
    () => {
      const which = link();
      return [`detach link ${which}`, 0, (s) => (s.hasLink(which) ? s.endLink(which) : "none")];
    },
    () => {
      const which = link();
      return [`info ${which}`, 0, (s) => (s.hasLink(which) ? s.info(which) : "none")];
    },
  ];
  const steps: AttachStep[] = [];
  for (let i = 0; i < STEPS; i++) {
    steps.push(pick(make)());
    const where = at();
    steps.push([`query ${where}`, 0, (s) => s.query(where)]);
    if (!device) steps.push([`effective in ${where}`, 0, (s) => s.effective(where)]);
  }
  return steps;
}

/** What each step gives; a relative that names no link yet is one more errno that both must agree on. */
function play(scene: AttachScene, steps: readonly AttachStep[]): unknown[] {
  try {
    return steps.map(([what, , call]) => `${what}: ${outcome(() => call(scene))}`);
  } finally {
    scene.end();
  }
}

describe.skipIf(whyNotLinux)(`random attachments are the same on skep and Linux (seed ${seed})`, () => {
  it("cgroups", () => {
    for (let n = 0; n < SEQUENCES; n++) {
      const steps = [
        ...TREE.map((path): AttachStep => [`mkdir ${path}`, 0, (s) => s.mkdir(path)]),
        ...sequence(new Random(seed + n), false),
      ];
      const theirs = withLinux((bpf) => play(new AttachScene(bpf), steps));
      expect(play(new AttachScene(createKernel().spawn()), steps), `seed ${seed + n}`).toEqual(theirs);
    }
  });

  it("a device", () => {
    for (let n = 0; n < SEQUENCES; n++) {
      const steps = sequence(new Random(seed + n), true);
      const theirs = withLinux((bpf) =>
        inNetns(bpf, newNetns(bpf), () => {
          using devices = new Devices(bpf.sys);
          const scene = new AttachScene(bpf);
          scene.ifindex = devices.addVeth("one", "two")[0].ifindex;
          return play(scene, steps);
        }),
      );
      const kernel = createKernel();
      const scene = new AttachScene(kernel.spawn());
      scene.ifindex = kernel.net.addDevice().ifindex;
      expect(play(scene, steps), `seed ${seed + n}`).toEqual(theirs);
    }
  });
});

it.skipIf(whyNotLinux)("a link that is to hold its target is refused by Linux, and nothing is attached", () => {
  withLinux((bpf) => {
    const scene = new AttachScene(bpf);
    try {
      expect(outcome(() => scene.link("", "L", "skb.1", 0, { hold: true }))).toBe("EOPNOTSUPP");
      expect(scene.query("")).toBe("nothing, flags 0, revision 1");
    } finally {
      scene.end();
    }
  });
});
