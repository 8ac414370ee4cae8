/**
 * Children in the form that the contract needs: a listener, and an endpoint that connects to it, in one engine. The
 * listener is on a Unix socket, and the endpoint is a child that joins its stdin and stdout to that socket.
 */
import process from 'node:process'
import { nodeProgram } from '../helpers/small-children.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import type { ContractTransport } from './contract.js'

/** `engine`: the child has an engine, to which its stdin and stdout are an endpoint. */
export function bridged(by: 'streams' | 'engine'): ContractTransport {
  return {
    kind: 'stdio',
    listenerKind: 'unix',
    costly: true,
    endsProcess: true,
    cleanEnd: { code: 'OK', exitCode: 0, signal: null },
    supported: process.platform !== 'win32',
    halfClose: true,
    noListener: undefined,
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return {
        endpoint: `unix:${path}`,
        dialled: (onThere) =>
          nodeProgram(by === 'engine' ? 'engine-bridge' : 'bridge', [path], {
            killAfterMs: 1_000,
            stderr: (line) => {
              if (line === 'there') onThere()
            },
          }),
        socketFile: path,
        remove: () => folder.remove(),
      }
    },
  }
}
