import type { Entry } from "./entry.ts";

export const CONTROL: readonly Entry[] = [];
