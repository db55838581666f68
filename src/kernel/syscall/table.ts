/** Every command of bpf(2) of Linux 6.18, by number. */
import { ATTACH_COMMANDS } from "./attach.ts";
import { BATCH_COMMANDS } from "./batch.ts";
import { BTF_COMMANDS } from "./btf.ts";
import type { Command } from "./command.ts";
import { ID_COMMANDS } from "./ids.ts";
import { INFO_COMMANDS } from "./info.ts";
import { LINK_COMMANDS } from "./links.ts";
import { MAP_COMMANDS } from "./maps.ts";
import { MISC_COMMANDS } from "./misc.ts";
import { PROG_LOAD_COMMAND } from "./prog_load.ts";
import { TEST_RUN_COMMAND } from "./test_run.ts";

export const COMMANDS: Readonly<Record<number, Command>> = {
  ...MAP_COMMANDS,
  ...BATCH_COMMANDS,
  ...PROG_LOAD_COMMAND,
  ...TEST_RUN_COMMAND,
  ...BTF_COMMANDS,
  ...ID_COMMANDS,
  ...INFO_COMMANDS,
  ...LINK_COMMANDS,
  ...ATTACH_COMMANDS,
  ...MISC_COMMANDS,
};
