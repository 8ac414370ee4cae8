/** Why a child could not be started, as an error that says what to check. */
import fs from 'node:fs'
import { basename, resolve as resolvePath } from 'node:path'
import { TransportError } from '../protocol/errors.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import { isShortage } from '../sockets/spare-descriptors.js'

export interface SpawnedCommand {
  readonly command: string
  readonly cwd: string | undefined
}

/** `error` is of the spawn, or of something that it needs. */
export function spawnError(error: NodeJS.ErrnoException, spawned: SpawnedCommand, endpoint: string): TransportError {
  const { command, cwd } = spawned
  // Node puts the arguments into its error, which may be secrets, and would be printed with it.
  Reflect.deleteProperty(error, 'spawnargs')
  const details = { cause: error, endpoint }
  if (isDenied(error)) {
    return new TransportError('ERR_ACCESS', `starting ${command}: ${describeDenial(error)}.`, details)
  }
  if (isShortage(error)) {
    // Nothing is wrong with the command: the same call may succeed later.
    return new TransportError(
      'ERR_IO',
      `starting ${command}: the system has no room for another process, or this one for another descriptor (${error.message}). Close some, raise the limits (ulimit -n, ulimit -u), or retry later.`,
      details,
    )
  }
  const where = cwd === undefined ? '' : ` in ${cwd}`
  return new TransportError('ERR_SPAWN', `starting ${command}${where}: ${reasonOf(error, spawned)}.`, details)
}

/** The system has one error for several mistakes: what exists and what does not tells them apart. */
function reasonOf({ code = '', message }: NodeJS.ErrnoException, { command, cwd }: SpawnedCommand): string {
  if (cwd !== undefined && ['ENOENT', 'ENOTDIR', 'EACCES'].includes(code)) {
    const folder = statOf(cwd)
    if (folder === undefined) return `there is no folder ${cwd}. Check cwd`
    if (!folder.isDirectory()) return `${cwd} is not a folder. Check cwd`
  }
  const file = basename(command) !== command ? statOf(resolvePath(cwd ?? '.', command)) : undefined
  if (file?.isDirectory() === true) return 'it is a folder, not a command. Check its path'
  if (code === 'ENOENT') {
    return file === undefined
      ? 'there is no such command. Check its path, or PATH'
      : 'the file is there, but not what it is to be run with. Check its first line'
  }
  if (code === 'EACCES') return 'it is not executable. Check its mode'
  if (code === 'EFTYPE') return 'it is not a program that this system can run. Check its path'
  if (code === 'EINVAL' && /\.(?:bat|cmd)$/i.test(command))
    return 'a batch file needs a shell. Run cmd.exe with the arguments /d /s /c and the command'
  return `${message}. See the cause`
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path)
  } catch {
    return undefined
  }
}
