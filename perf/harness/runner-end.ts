/**
 * Every program that another one starts over IPC imports this first. The program then ends with its runner, for
 * whatever reason: the system closes the channel of a runner that is gone.
 */
import process from 'node:process'

const leave = (): void => process.exit(1)

// The runner may have ended before this could listen.
if (process.send !== undefined && !process.connected) leave()
process.once('disconnect', leave)

/** The work is done: from here on the program ends by itself, unless it has left something open. */
export function endByItself(): void {
  // If something keeps this program alive, it still ends with its runner.
  process.channel?.unref()
}
