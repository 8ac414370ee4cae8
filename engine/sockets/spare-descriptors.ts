/** Whether there are descriptors enough to start a process. */
import fs from 'node:fs'
import os from 'node:os'

/**
 * What `spawn` opens on its way: a pair for each pipe, a pair to hear of a failed exec, and some for what others open
 * meanwhile.
 */
const SPARE_DESCRIPTORS = 8

/**
 * A spawn that runs out of descriptors returns before it has looked after the pipes that it was given, and leaves them
 * open for good (nodejs/node#14166 is the same early return): each attempt would make the shortage worse.
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

/** A process cannot be started now, and may be later. */
export function isShortage({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE' || code === 'EAGAIN' || code === 'ENOMEM'
}
