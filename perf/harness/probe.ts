/** Asks whether an engine can be measured at all, before a scenario begins. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { meetingPlace, type Transport } from './meeting-place.js'
import type { SideConfig } from './messages.js'

const program = fileURLToPath(new URL('../programs/engine-probe.js', import.meta.url))

/** Why not, in one line; undefined: it can. `engine`: undefined is this tree's. */
export function whyNot(engine: string | undefined, transport: Transport, folder: string): Promise<string | undefined> {
  const config: SideConfig = {
    role: 'echo',
    stack: 'engine',
    path: meetingPlace(folder, `probe ${transport}`),
    connections: 1,
    corkFrames: 1,
    shards: 1,
    wake: undefined,
    inlineWrites: undefined,
    transport,
    engine,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, JSON.stringify(config)], (error, stdout) => {
      const reason = stdout.trim()
      if (reason !== '') resolve(reason)
      else resolve(error === null ? undefined : `it ended with ${String(error.code ?? error.signal)}`)
    })
  })
}
