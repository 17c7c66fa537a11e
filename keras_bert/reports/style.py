"""How reports on answers look, besides what all pages share."""

# Colours after Okabe and Ito, which the colour-blind tell apart too. What is right or gold is blue,
# what is wrong or predicted is orange; where it matters, a line or a word says the same.
_STYLE = """
:root { --gold: rgb(0 114 178 / .22); --gold-line: #0072b2; --found: rgb(230 120 0 / .16);
  --found-line: #d55e00; --track: #e3e6ea; }
@media (prefers-color-scheme: dark) { :root { --gold: rgb(86 180 233 / .30); --gold-line: #56b4e9;
  --found: rgb(230 159 0 / .22); --found-line: #f0a030; --track: #33383f; }
  svg image { filter: invert(0.92) hue-rotate(180deg); } }
html { scroll-behavior: smooth; }
nav { margin: .8rem 0; }
a { color: var(--first); }
mark { color: inherit; background: none; border-radius: 3px; padding: 0 .1em;
  -webkit-box-decoration-break: clone; box-decoration-break: clone; }
mark.gold { background: var(--gold); }
mark.found { background: var(--found); border-bottom: 3px solid var(--found-line); }
mark.gold.found { background: var(--gold); }
mark.type-0 { background: rgb(230 159 0 / .35); } mark.type-1 { background: rgb(86 180 233 / .35); }
mark.type-2 { background: rgb(0 158 115 / .30); } mark.type-3 { background: rgb(240 228 66 / .40); }
mark.type-4 { background: rgb(0 114 178 / .30); } mark.type-5 { background: rgb(213 94 0 / .30); }
mark.type-6 { background: rgb(204 121 167 / .35); }
mark.differs { border-bottom: 3px solid var(--text); }
.sample small { color: var(--dim); padding-left: .2em; }
.field { color: var(--dim); font-size: .82em; display: inline-block; min-width: 5em; }
.question { font-weight: 600; }
.gap { color: var(--dim); }
.plots { grid-template-columns: repeat(auto-fill, minmax(min(500px, 100%), 1fr)); }
.bars { list-style: none; margin: .4rem 0 .1rem; padding: 0; font-size: .9em; display: grid;
  grid-template-columns: fit-content(36rem) minmax(6rem, 22rem) 3.2rem; gap: .1rem .8rem; }
.bars li { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid;
  align-items: center; }
.name { overflow-wrap: anywhere; }
.name b { font-size: .85em; font-weight: 600; padding-left: .3em; }
.name b.right { color: var(--gold-line); } .name b.wrong { color: var(--found-line); }
.track { display: block; background: var(--track); border-radius: 3px; width: 100%;
  height: .65rem; overflow: hidden; }
.fill { fill: var(--dim); }
.fill.right { fill: var(--gold-line); } .fill.wrong { fill: var(--found-line); }
.confusion th, .confusion td { padding: .3rem .7rem; }
.confusion small { display: block; color: var(--dim); }
.hidden { position: absolute; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
.heads { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr));
  gap: .8rem; margin-top: .5rem; }
.heads svg { display: block; width: 100%; height: auto; }
svg image { image-rendering: pixelated; }
"""

# Depths of the colour of a share, from 0 to 1.
_SHADES = 20


def shade(share: float, *, is_right: bool) -> str:
    """Returns the class of a cell whose colour is as deep as a share is large.

    A class, as a `style` attribute has no place under a strict content policy.
    """
    return f"{'right' if is_right else 'wrong'}-{round(share * _SHADES)}"


def _shades() -> str:
    return "".join(
        f".{kind}-{depth} {{ background: rgb({color} / {0.55 * depth / _SHADES:.4f}); }}\n"
        for kind, color in (("right", "33 102 172"), ("wrong", "230 110 20"))
        for depth in range(1, _SHADES + 1)
    )


STYLE = _STYLE + _shades()
