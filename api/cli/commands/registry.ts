/** All commands, in the order of the help. */
import type { Command } from '../command.js'
import { bench } from './bench.js'

export const commands: readonly Command[] = [bench]
