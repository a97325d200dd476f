/** A value that is JSON text already: whoever writes JSON around it puts the text in as it is, and need not parse it. */
export class JsonText {
  /** As `JSON.stringify` writes it, without spaces. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** For whoever does not know it. */
  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}
