/** Every verb of the command line: one entry, one file. */
import { batch } from "./batch.ts";
import { btf } from "./btf.ts";
import { cgroup } from "./cgroup.ts";
import type { CliCommand } from "./command.ts";
import { disasm } from "./disasm.ts";
import { exec } from "./exec.ts";
import { feature } from "./feature.ts";
import { link } from "./link.ts";
import { map } from "./map.ts";
import { monitor } from "./monitor.ts";
import { net } from "./net.ts";
import { prog } from "./prog.ts";
import { run } from "./run.ts";
import { verify } from "./verify.ts";

export const COMMANDS: readonly CliCommand[] = [
  run,
  verify,
  disasm,
  btf,
  exec,
  prog,
  map,
  link,
  net,
  cgroup,
  batch,
  monitor,
  feature,
];
