/** A thread that looks at everything in a folder as fast as it can, and remembers each mode that it has ever seen. */
import fs from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'

export interface ModeWatch {
  readonly folder: string
  /** [0]: looks that found a socket; [1]: 1 once it should stop. */
  readonly shared: Int32Array
}

const { folder, shared } = workerData as ModeWatch
const seen = new Set<string>()

while (Atomics.load(shared, 1) === 0) {
  for (const name of fs.readdirSync(folder)) {
    const stat = fs.lstatSync(join(folder, name), { throwIfNoEntry: false })
    if (stat === undefined) continue
    const mode = (stat.mode & 0o7777).toString(8)
    if (stat.isSocket()) {
      seen.add(`socket ${mode}`)
      Atomics.add(shared, 0, 1)
    } else {
      seen.add(`${stat.isDirectory() ? 'folder' : 'other'} ${mode}`)
    }
  }
}
parentPort?.postMessage([...seen].sort())
