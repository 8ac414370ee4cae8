/**
 * Imported first by every program that a runner starts over IPC: the program ends with its runner, however that ends.
 * The system closes the channel of a process that is gone, and nobody is left to report to.
 */
import process from 'node:process'

const leave = (): void => process.exit(1)

// It may have ended before anybody could listen.
if (process.send !== undefined && !process.connected) leave()
process.once('disconnect', leave)

/** The work is done: from here on the program ends by itself, and nothing that it has left open may keep it. */
export function endByItself(): void {
  // The runner may still go: if something keeps this program then, it is to end all the same.
  process.channel?.unref()
}
