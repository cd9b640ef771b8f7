/** An e-mail: plain text, to one person. */
export interface Message {
  readonly to: string
  readonly subject: string
  readonly text: string
}
