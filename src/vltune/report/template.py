"""The page's template, in jinja2: a module, so that what imports it is seen to depend on it, and a wheel holds it."""

PAGE = """\
{% macro table(content) %}
<div class="wide">
<table>
<thead><tr>{% for name in content[0] %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in content[1] %}
<tr>{% for text, small in row %}<td>{{ text }}{% if small %}<small>{{ small }}</small>{% endif %}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vltune: the comparison</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 1160px; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-top: 1.6rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: .9rem; }
  th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  small { color: #666; } td small { display: block; }
  figure { margin: 1rem 0; } figure img { width: 760px; max-width: 100%; height: auto; }
  figcaption, .note { color: #555; font-size: .9rem; }
  .missing { background: #fff4d6; padding: .6rem 1rem; border-left: 4px solid #e69f00; }
  .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 1rem; }
  .card { border: 1px solid #ddd; border-radius: 6px; padding: .7rem; display: flex; gap: .8rem; font-size: .85rem; line-height: 1.35; }
  .card img, .card .none { width: 112px; height: 112px; flex: none; object-fit: contain; }
  .card .none { background: #eee; color: #666; display: grid; place-items: center; text-align: center; }
  dl { margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: .15rem .6rem; align-content: start; }
  dt { color: #666; } dd { margin: 0; overflow-wrap: anywhere; } dd small { margin-left: .4rem; }
  .reference { font-weight: 600; }
</style>
</head>
<body>
<h1>Which method should teach a language model to see?</h1>
<p>One frozen image encoder, one pretrained language model; each row trains something else of the language model. The projector
between the two is trained by every method and counted apart: the row that trains nothing of the decoder but the projector is the
control, and the last of the methods is the aligned start that all others begin from. The images of this page were used for nothing
else: not for training, not for choosing a checkpoint.</p>
{% if missing %}
<p class="missing">Missing runs, left out: {{ missing | join(", ") }}.</p>
{% endif %}
{% for task in tasks %}
<h2>Quality: {{ task.name }}</h2>
{{ table(task.quality) }}
<p class="note">Under each number its interval. {{ task.note }}</p>
{% if task.pairs %}
<h3>Verdicts: {{ task.name }}</h3>
{{ table(task.pairs) }}
{% endif %}
{% for text in task.verdict %}
<p>{{ text }}</p>
{% endfor %}
{% if task.types %}
<h3>{{ task.metric | capitalize }} by type of question</h3>
{{ table(task.types) }}
<p class="note">Under each number what the same model reaches with another image's features.</p>
{% endif %}
{% endfor %}
<h2>The main metric of each task</h2>
<figure><img src="{{ charts.quality }}" alt="Bar chart: {{ tasks | map(attribute='metric') | join(' and ') }} of every method with
its bootstrap interval and a mark for the blind run; the numbers stand in the tables above">
<figcaption>Intervals of two methods may overlap though one is better, since both saw the same images: the verdicts above are of
pairs. A diamond marks what the same model reaches with another image's features.</figcaption></figure>
<h2>Quality against what is trained</h2>
<figure><img src="{{ charts.pareto }}" alt="Scatter chart: {{ tasks | map(attribute='metric') | join(' and ') }} against the
trained share of the decoder's parameters, on a log axis with a place for zero">
<figcaption>Up is better, left is cheaper to store. Left of the dotted line nothing of the decoder is trained.
Hollow marks are the same models with another image's features.</figcaption></figure>
<h2>Training</h2>
<figure><img src="{{ charts.curves }}"
alt="Line chart: training loss of every method by step, with the validation losses as points">
<figcaption>The checkpoint that is reported is the one with the lowest validation loss.</figcaption></figure>
{% if tuning %}
<h2>Tuning</h2>
<p>Every method had the same number of short trainings, at values from ranges that span the same factor; the loss
on val decided.</p>
{{ table(tuning) }}
<figure><img src="{{ charts.tuning }}" alt="Line chart: the least validation loss that k trials are expected to find, a line a method">
<figcaption>A steep line: the method needs its search. What k trials are expected to find follows from all of them
(Dodge et al. 2019).</figcaption></figure>
{% endif %}
{% for task in tasks %}
<h2>{{ "Size and variety" if task.diversity else "Size" }}: {{ task.name }}</h2>
{{ table(task.sizes) }}
<p class="note">
{% if task.diversity %}
distinct-n: different n-grams as a share of all n-grams. Unique: different captions as a share of all. Novel: captions
that are not a reference of a training image. Length: words a caption.
{% endif %}
Seconds, captions per second and memory differ from run to run, so they are not here: they stand in metrics/resources.csv.</p>
{% if task.cards %}
<h2>What they said: {{ task.name }}</h2>
<p class="note">{{ task.cards | length }}
{{ "questions about test images at equal distances in the list by type," if task.types else "test images at equal distances in the list," }}
not chosen by quality.
{% if licence %} Images: {{ licence }}.{% endif %}</p>
<div class="gallery">
{% for card in task.cards %}
<div class="card">
{% if card.thumbnail %}
<img src="{{ card.thumbnail }}" alt="Test image {{ card.name }}: {{ card.question or card.right }}" width="112" height="112">
{% else %}
<div class="none">{{ card.name }}<br>is not here</div>
{% endif %}
<dl>
{% if card.question %}
<dt>question</dt><dd class="reference">{{ card.question }}</dd>
{% endif %}
<dt>{{ "right" if card.question else "reference" }}</dt><dd class="reference">{{ card.right }}</dd>
{% for name, said in card.said.items() %}
<dt>{{ name }}</dt><dd>
{%- if not said %}nothing{% else %}{{ said.text or "(empty)" }}
{%- if said.blind is not none %}<small>blind: {{ said.blind or "(empty)" }}</small>{% endif %}{% endif %}</dd>
{% endfor %}
</dl>
</div>
{% endfor %}
</div>
{% endif %}
{% endfor %}
</body>
</html>
"""
