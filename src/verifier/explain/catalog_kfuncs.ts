import type { Entry } from "./entry.ts";

export const KFUNCS: readonly Entry[] = [];
