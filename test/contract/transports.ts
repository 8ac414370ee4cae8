/** The transports that can listen, as the suites need to know them. */
import { join } from 'node:path'
import process from 'node:process'
import { boundSocket } from '../helpers/inherited.js'
import { isExclusive } from '../helpers/platform.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'

function named(endpoint: string): Promise<ContractEndpoint> {
  return Promise.resolve({ endpoint, socketFile: undefined, remove: () => Promise.resolve() })
}

export const unix: ContractTransport = {
  kind: 'unix',
  supported: process.platform !== 'win32',
  halfClose: true,
  noListener: 'ERR_NOT_FOUND',
  async makeEndpoint() {
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    return { endpoint: `unix:${path}`, socketFile: path, remove: () => folder.remove() }
  },
}

export const abstract: ContractTransport = {
  kind: 'unix',
  halfClose: true,
  supported: process.platform === 'linux',
  // There is no file that could be missing: the kernel refuses.
  noListener: 'ERR_REFUSED',
  makeEndpoint: () => named(`unix:@symphony-${randomName()}`),
}

/** The listening side has a socket that its process was started with; the other side connects to its path. */
export const activated: ContractTransport = {
  kind: 'unix',
  listenerKind: 'fd',
  supported: process.platform !== 'win32',
  halfClose: true,
  noListener: 'ERR_REFUSED',
  async makeEndpoint() {
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    return {
      endpoint: `fd:${String(boundSocket(path))}`,
      dialled: (onThere) => {
        onThere()
        return { kind: 'unix', path }
      },
      socketFile: undefined,
      remove: () => folder.remove(),
    }
  },
}

export const memory: ContractTransport = {
  kind: 'memory',
  supported: true,
  halfClose: true,
  noListener: 'ERR_NOT_FOUND',
  makeEndpoint: () => named(`memory:${randomName()}`),
}

export const pipe: ContractTransport = {
  kind: 'pipe',
  supported: process.platform === 'win32',
  halfClose: false,
  exclusive: isExclusive,
  waitsWhenFull: false,
  lingers: true,
  noListener: 'ERR_NOT_FOUND',
  makeEndpoint: () => named(`pipe:${randomName()}`),
}

/** In the runtime folder that the environment names; on Windows a pipe: no folder, no file, no half-close. */
export const local: ContractTransport = {
  kind: 'local',
  supported: true,
  halfClose: process.platform !== 'win32',
  exclusive: isExclusive,
  waitsWhenFull: process.platform !== 'win32',
  lingers: process.platform === 'win32',
  noListener: 'ERR_NOT_FOUND',
  makeEndpoint() {
    const name = randomName()
    const { XDG_RUNTIME_DIR: runtime } = process.env
    const folder = runtime === undefined || process.platform === 'win32' ? undefined : runtime
    return Promise.resolve({
      endpoint: `local:${name}`,
      socketFile: folder && join(folder, 'symphony-transport', `${name}.sock`),
      remove: () => Promise.resolve(),
    })
  },
}
