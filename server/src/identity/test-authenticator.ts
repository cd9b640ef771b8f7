/** An authenticator in software, for tests: makes passkeys and answers challenges, truthfully or not. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Lies {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  readonly userVerified?: boolean
  readonly userHandle?: string
  readonly counter?: number
  readonly signature?: Buffer
}

export class TestAuthenticator {
  readonly id = randomBytes(16)
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #origin: string
  /** 0: it does not count. */
  counter = 0
  userHandle = ''

  constructor(origin: string) {
    this.#origin = origin
  }

  get #rpId(): string {
    return new URL(this.#origin).hostname
  }

  /** The JSON that a page posts for `navigator.credentials.create`. */
  create(options: { challenge: string; user: { id: string } }, lies: Lies = {}): string {
    this.userHandle = options.user.id
    const clientDataJSON = this.#clientData('webauthn.create', options.challenge, lies)
    const { x, y } = this.#keys.publicKey.export({ format: 'jwk' }) as { x: string; y: string }
    const cose = Buffer.concat([
      Buffer.from('a5010203262001215820', 'hex'),
      Buffer.from(x, 'base64url'),
      Buffer.from('225820', 'hex'),
      Buffer.from(y, 'base64url'),
    ])
    const length = Buffer.alloc(2)
    length.writeUInt16BE(this.id.length)
    const data = Buffer.concat([this.#authData(0x40, lies), Buffer.alloc(16), length, this.id, cose])
    const attestation = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746158', 'hex'),
      Buffer.from([data.length]),
      data,
    ])
    return this.#json({ clientDataJSON, attestationObject: attestation.toString('base64url') })
  }

  /** The same for `navigator.credentials.get`. */
  get(challenge: string, lies: Lies = {}): string {
    const clientDataJSON = this.#clientData('webauthn.get', challenge, lies)
    const data = this.#authData(0, lies)
    const signed = Buffer.concat([
      data,
      createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest(),
    ])
    const signature = lies.signature ?? sign('sha256', signed, this.#keys.privateKey as KeyObject)
    return this.#json({
      clientDataJSON,
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: lies.userHandle ?? this.userHandle,
    })
  }

  #clientData(type: string, challenge: string, lies: Lies): string {
    const data = {
      type: lies.type ?? type,
      challenge: lies.challenge ?? challenge,
      origin: lies.origin ?? this.#origin,
      crossOrigin: lies.crossOrigin ?? false,
    }
    return Buffer.from(JSON.stringify(data)).toString('base64url')
  }

  /** Flags: user present, user verified, and those of the caller. */
  #authData(flags: number, { rpId = this.#rpId, userVerified = true, counter }: Lies): Buffer {
    const count = Buffer.alloc(4)
    if (this.counter > 0) this.counter++
    count.writeUInt32BE(counter ?? this.counter)
    const flag = Buffer.from([flags | 0x01 | (userVerified ? 0x04 : 0)])
    return Buffer.concat([createHash('sha256').update(rpId).digest(), flag, count])
  }

  #json(response: Record<string, string>): string {
    const id = this.id.toString('base64url')
    return JSON.stringify({ id, rawId: id, type: 'public-key', response, clientExtensionResults: {} })
  }
}
