/** The in-process kernel: packets arrive at a device. */
import { BPFFS_ROOT } from "../../src/kernel/bpffs/super_block.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { Process } from "../../src/kernel/process.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { type Admin, testFrame, World } from "./world.ts";

export class SkepWorld extends World {
  readonly kernel: NetKernel;
  readonly device: NetDevice;
  override readonly host: Process;
  override readonly bpffs = BPFFS_ROOT;

  /** @param kernel an empty one, which is empty again at the end */
  constructor(kernel: NetKernel = worldKernel()) {
    super();
    this.kernel = kernel;
    this.host = this.kernel.spawn({ comm: "host" });
    this.device = this.kernel.net.addDevice({ name: "eth0" });
  }

  get ifindex(): number {
    return this.device.ifindex;
  }

  xdpId(): number | undefined {
    return this.device.xdp?.id;
  }

  admin(comm: string): Admin & { readonly bpf: Process } {
    const bpf = this.kernel.spawn({ comm });
    return { bpf, exit: () => bpf.exit() };
  }

  protected receive(): void {
    this.device.receive(testFrame());
    this.device.delivered.length = 0;
  }

  /** @throws Error when references do not add up or something is left */
  [Symbol.dispose](): void {
    checkReferences(this.kernel);
    this.kernel.shutdown();
    this.kernel.assertEmpty();
  }
}

/** Programs that live for a few steps are not worth a WebAssembly module, so they are interpreted. */
export function worldKernel(): NetKernel {
  return createKernel({ random: () => 7, engine: "interp" });
}
