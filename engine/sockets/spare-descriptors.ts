/** Whether there are descriptors enough to start a process. */
import fs from 'node:fs'
import os from 'node:os'

/** What `spawn` opens: a pair for each pipe, a pair that reports a failed exec, and some for other threads' use. */
const SPARE_DESCRIPTORS = 8

/**
 * A spawn that runs out of descriptors returns early and leaves the pipes that it was given open for good
 * (nodejs/node#14166 is the same early return): each attempt would make the shortage worse.
 * @throws The system's error, EMFILE or ENFILE.
 */
export function assertDescriptors(): void {
  const spare: number[] = []
  try {
    while (spare.length < SPARE_DESCRIPTORS) spare.push(fs.openSync(os.devNull, 'r'))
  } finally {
    for (const descriptor of spare) fs.closeSync(descriptor)
  }
}

/** Whether a process cannot be started now, but may be later. */
export function isShortage({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE' || code === 'EAGAIN' || code === 'ENOMEM'
}
