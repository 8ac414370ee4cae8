import { framedContract } from './framed.js'

framedContract('unix', 'content-length')
