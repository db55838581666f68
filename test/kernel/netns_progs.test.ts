/** Programs of network namespaces: flow dissectors and sk_lookup programs, on skep and on the running Linux. */
import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { inNetns, type LinuxBpf, newNetns } from "../../src/node/linux/index.ts";
import { outcome } from "../support/bpffs.ts";
import { load } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

interface Scene {
  readonly bpf: Bpf;
  readonly netns: Fd;
  /** A flow dissector, or an sk_lookup program. */
  readonly dissector: () => Fd;
  readonly lookup: () => Fd;
  readonly link: (prog: Fd, attachType: number, flags?: number) => Fd;
  /** Ids of what is attached, as places among `progs`. */
  readonly attached: (attachType: number, progs: readonly Fd[]) => number[];
}

type Step = readonly [what: string, wanted: unknown, call: (s: Scene) => unknown];

/** Steps in a namespace of their own, in which the caller is. */
function netnsTests(title: string, steps: (fds: Record<string, Fd>) => readonly Step[]): void {
  onKernels(title, (bpf) => {
    const run = (netns: Fd) => {
      const scene: Scene = {
        bpf,
        netns,
        dissector: () => load(bpf, "r0 = 0\nexit", { progType: abi.BPF_PROG_TYPE_FLOW_DISSECTOR }),
        lookup: () =>
          load(bpf, "r0 = 1\nexit", { progType: abi.BPF_PROG_TYPE_SK_LOOKUP, expectedAttachType: abi.BPF_SK_LOOKUP }),
        link: (progFd, attachType, flags = 0) => bpf.linkCreate({ progFd, attachType, targetFd: netns, flags }),
        attached: (attachType, progs) => {
          const ids = progs.map((fd) => bpf.progInfo(fd).id);
          return bpf.progQuery!({ attachType, targetFd: netns }).progs.map(({ id }) => ids.indexOf(id));
        },
      };
      for (const [what, wanted, call] of steps({}))
        expect(
          outcome(() => call(scene)),
          what,
        ).toEqual(wanted);
    };
    if (bpf instanceof Process) {
      const netns = bpf.kernel.newNetns();
      bpf.setNetns(netns);
      run(bpf.installOwned(netns));
    } else {
      const netns = newNetns(bpf as LinuxBpf);
      inNetns(bpf as LinuxBpf, netns, () => run(netns));
    }
  });
}

const { BPF_FLOW_DISSECTOR: DISSECTOR, BPF_SK_LOOKUP: LOOKUP } = abi;

netnsTests("a flow dissector without a link", (fd) => [
  ["1", undefined, (s) => void (fd["1"] = s.dissector())],
  ["2", undefined, (s) => void (fd["2"] = s.dissector())],
  ["attach", undefined, (s) => s.bpf.progAttach!({ progFd: fd["1"]!, attachType: DISSECTOR })],
  ["again", "EINVAL", (s) => s.bpf.progAttach!({ progFd: fd["1"]!, attachType: DISSECTOR })],
  ["another takes its place", undefined, (s) => s.bpf.progAttach!({ progFd: fd["2"]!, attachType: DISSECTOR })],
  ["query", [1], (s) => s.attached(DISSECTOR, [fd["1"]!, fd["2"]!])],
  [
    "flags",
    "EINVAL",
    (s) => s.bpf.progAttach!({ progFd: fd["1"]!, attachType: DISSECTOR, flags: abi.BPF_F_ALLOW_MULTI }),
  ],
  ["a target", "EINVAL", (s) => s.bpf.progAttach!({ progFd: fd["1"]!, attachType: DISSECTOR, targetFd: s.netns })],
  ["a link beside it", "EEXIST", (s) => s.link(fd["1"]!, DISSECTOR)],
  ["detach another", "ENOENT", (s) => s.bpf.progDetach!({ progFd: fd["1"]!, attachType: DISSECTOR })],
  ["detach", undefined, (s) => s.bpf.progDetach!({ progFd: fd["2"]!, attachType: DISSECTOR })],
  ["detach again", "ENOENT", (s) => s.bpf.progDetach!({ progFd: fd["2"]!, attachType: DISSECTOR })],
  ["query", [], (s) => s.attached(DISSECTOR, [])],
]);

netnsTests("a flow dissector by link: nobody else breaks it", (fd) => [
  ["1", undefined, (s) => void (fd["1"] = s.dissector())],
  ["2", undefined, (s) => void (fd["2"] = s.dissector())],
  ["link", undefined, (s) => void (fd["L"] = s.link(fd["1"]!, DISSECTOR))],
  ["another link", "E2BIG", (s) => s.link(fd["2"]!, DISSECTOR)],
  ["attach", "EEXIST", (s) => s.bpf.progAttach!({ progFd: fd["2"]!, attachType: DISSECTOR })],
  ["detach", "EINVAL", (s) => s.bpf.progDetach!({ progFd: fd["1"]!, attachType: DISSECTOR })],
  ["update", undefined, (s) => s.bpf.linkUpdate(fd["L"]!, fd["2"]!)],
  ["query", [1], (s) => s.attached(DISSECTOR, [fd["1"]!, fd["2"]!])],
  ["flags", "EINVAL", (s) => s.link(fd["2"]!, DISSECTOR, 1)],
  ["info", true, (s) => (s.bpf.linkInfo(fd["L"]!).netnsIno ?? 0) > 0],
  ["detach by force", undefined, (s) => s.bpf.linkDetach(fd["L"]!)],
  ["info", 0, (s) => s.bpf.linkInfo(fd["L"]!).netnsIno],
  ["update", "ENOLINK", (s) => s.bpf.linkUpdate(fd["L"]!, fd["1"]!)],
  ["query", [], (s) => s.attached(DISSECTOR, [])],
]);

netnsTests("sk_lookup programs run in the order of their links", (fd) => [
  ["1", undefined, (s) => void (fd["1"] = s.lookup())],
  ["2", undefined, (s) => void (fd["2"] = s.lookup())],
  ["L1", undefined, (s) => void (fd["L1"] = s.link(fd["1"]!, LOOKUP))],
  ["L2", undefined, (s) => void (fd["L2"] = s.link(fd["2"]!, LOOKUP))],
  ["the same program again", undefined, (s) => void (fd["L3"] = s.link(fd["1"]!, LOOKUP))],
  ["query", [0, 1, 0], (s) => s.attached(LOOKUP, [fd["1"]!, fd["2"]!])],
  ["close the first", undefined, (s) => s.bpf.close(fd["L1"]!)],
  ["query", [1, 0], (s) => s.attached(LOOKUP, [fd["1"]!, fd["2"]!])],
  ["without a link", "EINVAL", (s) => s.bpf.progAttach!({ progFd: fd["2"]!, attachType: LOOKUP })],
  ["another type of program", "EINVAL", (s) => s.link(s.dissector(), LOOKUP)],
]);
