/** All commands, in the order of the help. */
import type { Command } from '../command.js'
import { bench } from './bench.js'
import { bridgeCommand } from './bridge.js'
import { completionCommand } from './completion.js'
import { doctorCommand } from './doctor.js'
import { listenCommand } from './listen.js'
import { pingCommand } from './ping.js'
import { sendCommand } from './send.js'
import { serveCommand } from './serve.js'
import { top } from './top.js'
import { tune } from './tune.js'

export const commands: readonly Command[] = [
  doctorCommand,
  serveCommand,
  pingCommand,
  sendCommand,
  listenCommand,
  bench,
  tune,
  top,
  bridgeCommand,
  completionCommand(() => commands),
]
