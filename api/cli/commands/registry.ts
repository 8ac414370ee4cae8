/** All commands, in the order of the help. */
import type { Command } from '../command.js'
import { bench } from './bench.js'
import { top } from './top.js'
import { tune } from './tune.js'

export const commands: readonly Command[] = [bench, tune, top]
