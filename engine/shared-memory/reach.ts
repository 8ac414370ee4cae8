/** By what two processes can reach each other's segments. */
import fs from 'node:fs'

/** Which processes can reach each other by their numbers; 0: that cannot be said. */
export function pidNamespace(): bigint {
  try {
    return fs.statSync('/proc/self/ns/pid', { bigint: true }).ino
  } catch {
    return 0n
  }
}
