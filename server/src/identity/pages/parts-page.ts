/** Parts that several pages share: hidden fields, the box that says what is wrong, a password's field, a passkey's form. */
import { html, type Markup } from '../../http/index.ts'
import { LONGEST_PASSWORD_BYTES } from '../password-rules.ts'

/** Where a form is posted, and by what we know it again. */
export interface FormPlace {
  readonly action: string
  readonly formToken: string
}

export function formStart({ formToken }: FormPlace): Markup {
  return html`<input type="hidden" name="form_token" value="${formToken}" />`
}

/** What is wrong, first on the page and read aloud; fields name it by `aria-describedby="problem"`. */
export function problemBox(sentences: Markup): Markup {
  return html`<div class="problem" role="alert" id="problem">${sentences}</div>`
}

/** The same sentence for every page whose form was too old. */
export const TOO_OLD = html`<p><strong>This page was too old.</strong></p>
  <p>Cookies must be allowed for it to work. Please try again.</p>`

export const INVALID = html`aria-invalid="true" aria-describedby="problem"`

export interface PasswordField {
  readonly id: string
  readonly label: string
  readonly autocomplete: 'current-password' | 'new-password'
  readonly hint?: string | undefined
  readonly attributes?: Markup | undefined
  /** The page has its script. */
  readonly canShow: boolean
}

export function passwordField({ id, label, autocomplete, hint, attributes, canShow }: PasswordField): Markup {
  return html`<div class="field">
    <label for="${id}">${label}</label>
    ${hint !== undefined && html`<p class="faint" id="${id}-hint">${hint}</p>`}
    <input
      id="${id}"
      name="${id}"
      type="password"
      autocomplete="${autocomplete}"
      maxlength="${LONGEST_PASSWORD_BYTES}"
      required
      ${hint !== undefined && !attributes && html`aria-describedby="${id}-hint"`}
      ${attributes}
    />
    ${
      canShow &&
      html`<button type="button" class="small second" data-shows="${id}" aria-pressed="false" hidden>
        Show it
      </button>`
    }
  </div>`
}

/** A form that the page's script shows and fills; `options` is what the browser is handed. */
export function passkeyForm(
  place: FormPlace,
  {
    options,
    button,
    isAutofilled = false,
    fields,
  }: { options: object; button: string; isAutofilled?: boolean; fields?: Markup },
): Markup {
  return html`<form
    method="post"
    action="${place.action}"
    hidden
    data-passkey="${JSON.stringify(options)}"
    data-failed="No passkey was given. Try again, or choose another way."
    data-known="There is a passkey on this device already."
    ${isAutofilled && html`data-autofill`}
  >
    ${formStart(place)} <input type="hidden" name="passkey" value="" /> ${fields}
    <button type="submit" class="${isAutofilled ? 'second' : ''}">${button}</button>
    <p role="status" class="faint"></p>
  </form>`
}
