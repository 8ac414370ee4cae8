/** What crosses between the thread that calls functions and the one that serves them. */
import type { Carried } from './carried-error.js'

export type CallOutcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly thrown: Carried }

/**
 * The one method that Comlink exposes. It never rejects, because Comlink would drop the code and cause of the error.
 * All arguments are one value, so that no transfer handler that the host has registered with Comlink sees them.
 */
export interface CallServer {
  call(name: string, args: readonly unknown[]): Promise<CallOutcome>
}
