/** Why there is no native memory, and what to do about it: one sentence each. */
import { describeDenial, isDenied } from '../protocol/permission.js'

export const notInDeno = 'Deno passes no sockets between threads, and both ends wake each other by one that is passed'

export const isElectron = 'this runtime (Electron) forbids memory that it has not allocated itself'

export function onlyElsewhere(system: string, arch: string): string {
  return `shared memory is there on Linux and macOS, on x64 and arm64, and this is ${system} on ${arch}`
}

/** What became of koffi. `mayAddons` is false where the permission model forbids them. */
export function withoutKoffi(error: unknown, mayAddons: boolean): string {
  const code = error instanceof Error ? (error as Partial<NodeJS.ErrnoException>).code : undefined
  if (code === 'MODULE_NOT_FOUND' && isAboutKoffi(error)) {
    return 'koffi is not there: install it (npm install koffi). It is an optional dependency of symphony-transport'
  }
  if (code === 'ERR_DLOPEN_DISABLED') {
    return mayAddons
      ? 'native addons are disabled, and koffi is one: start this process without --no-addons'
      : "Node's permission model forbids addons, and koffi is one: start this process with --allow-addons"
  }
  if (isDenied(error)) return `koffi cannot be read: ${describeDenial(error)}`
  return `koffi does not work here: ${messageOf(error)}`
}

export function notByNodeFfi(error: unknown): string {
  return `node:ffi does not work here: ${messageOf(error)}`
}

/** Not about something that koffi itself is missing. */
function isAboutKoffi(error: unknown): boolean {
  return messageOf(error).startsWith("Cannot find module 'koffi'")
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] ?? ''
}
