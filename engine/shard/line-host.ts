/** Main's end of a shard's wake line: a socket in a folder that only we can enter, for the one connection of the shard. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { moveHandle } from '../shared/socket-handle.js'
import { readWakes, WakeLine } from '../shared/wake-line.js'

export interface LineHost {
  readonly path: string
  /** Undefined until the shard has connected. */
  readonly line: WakeLine | undefined
  close(): void
}

/** Undefined where there are no Unix sockets, or no folder to put one: the MessagePort serves alone then. */
export function offerLine(onWake: () => void): LineHost | undefined {
  if (process.platform === 'win32') return undefined
  let folder: string
  try {
    folder = fs.mkdtempSync(join(os.tmpdir(), 'symphony-'))
  } catch {
    return undefined
  }
  const path = join(folder, 'wake')
  let line: WakeLine | undefined
  const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
    stopOffering()
    const socket = moveHandle(accepted, readWakes(onWake))
    if (socket === undefined) accepted.destroy()
    else line = new WakeLine(socket)
  })
  const stopOffering = (): void => {
    server.close()
    fs.rmSync(folder, { recursive: true, force: true })
  }
  server.on('error', stopOffering)
  server.listen(path)
  server.unref()
  return {
    path,
    get line() {
      return line
    },
    close() {
      stopOffering()
      line?.close()
    },
  }
}
