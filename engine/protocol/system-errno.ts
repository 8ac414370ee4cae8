/** The numbers of system errors: other ones on Linux, macOS and Windows. */
import { getSystemErrorMap, getSystemErrorName } from 'node:util'

type SystemErrorCode = 'ECONNRESET' | 'EIO' | 'EPIPE'

/** As Node's errors have it in `errno`: negative, and libuv's own on Windows, where `os.constants.errno` has others. */
export function systemErrno(code: SystemErrorCode): number {
  for (const [errno, [name]] of getSystemErrorMap()) if (name === code) return errno
  throw new Error(`this system has no ${code}`)
}

/** The error that Node would have thrown in the thread where the call failed. `errno` is negative. */
export function systemErrorOf(errno: number, syscall: string): Error & { readonly code: string } {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall })
}
