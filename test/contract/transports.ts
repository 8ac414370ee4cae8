/** The transports that can listen, as the suites need to know them. */
import process from 'node:process'
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
