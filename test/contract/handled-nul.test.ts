import { handledContract } from './handled-contract.js'

handledContract('nul')
