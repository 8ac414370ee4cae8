/** The folder of one run. It is removed when the run ends, also by a signal that can be handled. */
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

export function makeRunFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true })
  })
  // The measured programs end by themselves when this process does.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  return folder
}
