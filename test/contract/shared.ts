/** Transports whose frames go through memory that both ends have. */
import { nativeMemories } from '../helpers/native-memories.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import type { ContractTransport } from './contract.js'

export function shared(kind: 'shm' | 'unix'): ContractTransport {
  return {
    kind,
    supported: process.platform !== 'win32' && nativeMemories.length > 0,
    halfClose: true,
    noListener: 'ERR_NOT_FOUND',
    memory: 'shared',
    shakesHands: true,
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `${kind}:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  }
}
