import { handledContract } from './handled-contract.js'

handledContract('content-length')
