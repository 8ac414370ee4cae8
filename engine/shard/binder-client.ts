/** Asks the binder process for descriptors of one bound socket, one for each shard. */
import { fork } from 'node:child_process'
import { getSystemErrorName } from 'node:util'
import { findBinderEntry } from './entry-discovery.js'

const BIND_TIMEOUT_MS = 10_000

interface BoundHandle {
  readonly fd: number
}

/**
 * The handles whose descriptors shards listen on, kept for the life of the process and never closed: closing one
 * here would close a number that the shard's own handle has closed already, and that may be a stranger's by then.
 */
const inUse = new Set<BoundHandle>()

interface BindReply {
  readonly ok: boolean
  readonly errno?: number
}

export function bindForShards(path: string, copies: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = fork(findBinderEntry(), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
      env: {},
    })
    const handles: BoundHandle[] = []
    const finish = (error: Error | undefined): void => {
      clearTimeout(timer)
      child.removeAllListeners('exit')
      child.on('error', () => undefined)
      if (child.connected) child.disconnect()
      child.kill('SIGKILL')
      if (error !== undefined) {
        reject(error)
        return
      }
      for (const handle of handles) inUse.add(handle)
      resolve(handles.map((handle) => handle.fd))
    }
    const timer = setTimeout(() => {
      finish(new Error(`the helper process did not bind within ${String(BIND_TIMEOUT_MS)} ms`))
    }, BIND_TIMEOUT_MS)
    child.once('error', finish)
    child.once('exit', (code) => {
      finish(new Error(`the helper process ended with code ${String(code)}`))
    })
    child.on('message', (reply, handle) => {
      const { ok, errno } = reply as BindReply
      if (!ok) {
        const code = getSystemErrorName(errno ?? 0)
        finish(Object.assign(new Error(`bind ${code}`), { code, errno, syscall: 'bind' }))
        return
      }
      handles.push(handle as unknown as BoundHandle)
      if (handles.length === copies) finish(undefined)
    })
    child.send({ path, copies })
  })
}
