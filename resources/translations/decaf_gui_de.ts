<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name></name>
    <message>
        <source>Clips and projects ({0} *{1})</source>
        <translation>Clips und Projekte ({0} *{1})</translation>
    </message>
    <message>
        <source>Projects (*{0})</source>
        <translation>Projekte (*{0})</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Open clips or a project</source>
        <translation>Clips oder Projekt öffnen</translation>
    </message>
    <message>
        <source>A folder of images</source>
        <translation>Ordner mit Bildern</translation>
    </message>
    <message>
        <source>A pre-labelled set</source>
        <translation>Ein vormarkierter Satz</translation>
    </message>
    <message>
        <source>Where is {0} now?</source>
        <translation>Wo liegt {0} jetzt?</translation>
    </message>
    <message>
        <source>Save a copy</source>
        <translation>Kopie speichern</translation>
    </message>
    <message>
        <source>Colour</source>
        <translation>Farbe</translation>
    </message>
    <message>
        <source>Accept</source>
        <translation>Annehmen</translation>
    </message>
    <message>
        <source>Candidate {0} covers what {1} covers (IoU {2:.2f}). Is it {1}?</source>
        <translation>Kandidat {0} deckt dasselbe ab wie {1} (IoU {2:.2f}). Ist es {1}?</translation>
    </message>
    <message>
        <source>It is {0}</source>
        <translation>Es ist {0}</translation>
    </message>
    <message>
        <source>A new object</source>
        <translation>Neues Objekt</translation>
    </message>
    <message>
        <source>Accept all</source>
        <translation>Alle annehmen</translation>
    </message>
    <message>
        <source>Accept {0}</source>
        <translation>{0} annehmen</translation>
    </message>
    <message>
        <source>{0} of {1} frames</source>
        <translation>{0} von {1} Bildern</translation>
    </message>
    <message>
        <source>tracking</source>
        <translation>wird verfolgt</translation>
    </message>
    <message>
        <source>ghost</source>
        <translation>Ghost-Kandidat</translation>
    </message>
    <message>
        <source>to judge</source>
        <translation>zu beurteilen</translation>
    </message>
    <message>
        <source>suppressed</source>
        <translation>verworfener Kandidat</translation>
    </message>
    <message>
        <source>rejected</source>
        <translation>abgelehnt</translation>
    </message>
    <message>
        <source>candidate {0}</source>
        <translation>Kandidat {0}</translation>
    </message>
    <message>
        <source>candidate</source>
        <translation>Kandidat</translation>
    </message>
    <message>
        <source>Rename...</source>
        <translation>Umbenennen...</translation>
    </message>
    <message>
        <source>Label...</source>
        <translation>Klasse...</translation>
    </message>
    <message>
        <source>Colour...</source>
        <translation>Farbe...</translation>
    </message>
    <message>
        <source>Colour as at first</source>
        <translation>Ursprüngliche Farbe</translation>
    </message>
    <message>
        <source>Opacity</source>
        <translation>Deckkraft</translation>
    </message>
    <message>
        <source>Answers to</source>
        <translation>Passt zu</translation>
    </message>
    <message>
        <source>Merge into</source>
        <translation>Zusammenführen mit</translation>
    </message>
    <message>
        <source>Swap from frame {0} on with</source>
        <translation>Ab Bild {0} tauschen mit</translation>
    </message>
    <message>
        <source>Another object from frame {0} on</source>
        <translation>Ab Bild {0} ein anderes Objekt</translation>
    </message>
    <message>
        <source>Unlock all frames</source>
        <translation>Alle Bilder entsperren</translation>
    </message>
    <message>
        <source>Lock all frames</source>
        <translation>Alle Bilder sperren</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Accept as a new object</source>
        <translation>Als neues Objekt annehmen</translation>
    </message>
    <message>
        <source>It is</source>
        <translation>Es ist</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>Take the verdict back</source>
        <translation>Urteil zurücknehmen</translation>
    </message>
    <message>
        <source>Propose again</source>
        <translation>Erneut vorschlagen</translation>
    </message>
    <message>
        <source>It has a target</source>
        <translation>Es gibt ein Ziel</translation>
    </message>
    <message>
        <source>No target in this clip</source>
        <translation>Kein Ziel in diesem Clip</translation>
    </message>
    <message>
        <source>Remove with its candidates</source>
        <translation>Samt Kandidaten entfernen</translation>
    </message>
    <message>
        <source>Say where it lies now...</source>
        <translation>Neuen Ort angeben...</translation>
    </message>
    <message>
        <source>Work on frames {0} to {1} alone</source>
        <translation>Nur an Bild {0} bis {1} arbeiten</translation>
    </message>
    <message>
        <source>Work on all frames</source>
        <translation>An allen Bildern arbeiten</translation>
    </message>
    <message>
        <source>Work on every</source>
        <translation>Arbeiten an jedem</translation>
    </message>
    <message>
        <source>frame</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>{0}th frame</source>
        <translation>{0}. Bild</translation>
    </message>
    <message>
        <source>Remove from the project</source>
        <translation>Aus dem Projekt entfernen</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Name of the object</source>
        <translation>Name des Objekts</translation>
    </message>
    <message>
        <source>Label, from the project&apos;s list or a new one</source>
        <translation>Klasse, aus der Liste des Projekts oder eine neue</translation>
    </message>
    <message>
        <source>Label</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>as the others</source>
        <translation>wie die anderen</translation>
    </message>
    <message>
        <source>contour alone</source>
        <translation>nur Kontur</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>Bearbeiten</translation>
    </message>
    <message>
        <source>View</source>
        <translation>Ansicht</translation>
    </message>
    <message>
        <source>Go</source>
        <translation>Navigation</translation>
    </message>
    <message>
        <source>Object</source>
        <translation>Objekt</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>Hilfe</translation>
    </message>
    <message>
        <source>Default</source>
        <translation>Standard</translation>
    </message>
    <message>
        <source>Close to CVAT</source>
        <translation>Ähnlich wie CVAT</translation>
    </message>
    <message>
        <source>Open clips or a project...</source>
        <translation>Clips oder Projekt öffnen...</translation>
    </message>
    <message>
        <source>Open a folder of images...</source>
        <translation>Ordner mit Bildern öffnen...</translation>
    </message>
    <message>
        <source>Open a pre-labelled set...</source>
        <translation>Vormarkierten Satz öffnen...</translation>
    </message>
    <message>
        <source>Say where the clip lies now...</source>
        <translation>Neuen Ort des Clips angeben...</translation>
    </message>
    <message>
        <source>Remove the clip from the project</source>
        <translation>Clip aus dem Projekt entfernen</translation>
    </message>
    <message>
        <source>Save a copy...</source>
        <translation>Kopie speichern...</translation>
    </message>
    <message>
        <source>Import labels...</source>
        <translation>Labels importieren...</translation>
    </message>
    <message>
        <source>Export labels...</source>
        <translation>Labels exportieren...</translation>
    </message>
    <message>
        <source>Close the project</source>
        <translation>Projekt schließen</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>Wiederholen</translation>
    </message>
    <message>
        <source>Write an expression</source>
        <translation>Ausdruck eingeben</translation>
    </message>
    <message>
        <source>Propose masks for the expression</source>
        <translation>Masken für den Ausdruck vorschlagen</translation>
    </message>
    <message>
        <source>The other method: DecAF or SteerSeg</source>
        <translation>Die andere Methode: DecAF oder SteerSeg</translation>
    </message>
    <message>
        <source>Compare methods...</source>
        <translation>Methoden vergleichen...</translation>
    </message>
    <message>
        <source>Nothing in the clip answers to the expression (or: something does)</source>
        <translation>Nichts im Clip passt zum Ausdruck (oder: doch etwas)</translation>
    </message>
    <message>
        <source>Remove the expression and its candidates</source>
        <translation>Ausdruck samt Kandidaten entfernen</translation>
    </message>
    <message>
        <source>Stop what is being worked on</source>
        <translation>Laufende Arbeit anhalten</translation>
    </message>
    <message>
        <source>Settings...</source>
        <translation>Einstellungen...</translation>
    </message>
    <message>
        <source>Show the whole frame</source>
        <translation>Ganzes Bild anzeigen</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>Vergrößern</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>Verkleinern</translation>
    </message>
    <message>
        <source>Zoom in on the timeline</source>
        <translation>Zeitleiste vergrößern</translation>
    </message>
    <message>
        <source>Zoom out on the timeline</source>
        <translation>Zeitleiste verkleinern</translation>
    </message>
    <message>
        <source>Masks, contours, masks only, none</source>
        <translation>Masken, Konturen, nur Masken, keine</translation>
    </message>
    <message>
        <source>Attention on and off</source>
        <translation>Aufmerksamkeit ein- und ausblenden</translation>
    </message>
    <message>
        <source>Next of the attention maps</source>
        <translation>Nächste Aufmerksamkeitskarte</translation>
    </message>
    <message>
        <source>Hide or show the object</source>
        <translation>Objekt aus- oder einblenden</translation>
    </message>
    <message>
        <source>Only the frame, or all panels</source>
        <translation>Nur das Bild oder alle Bedienfelder</translation>
    </message>
    <message>
        <source>Play and pause</source>
        <translation>Wiedergabe und Pause</translation>
    </message>
    <message>
        <source>Next frame</source>
        <translation>Nächstes Bild</translation>
    </message>
    <message>
        <source>Previous frame</source>
        <translation>Vorheriges Bild</translation>
    </message>
    <message>
        <source>Ten frames on</source>
        <translation>Zehn Bilder vor</translation>
    </message>
    <message>
        <source>Ten frames back</source>
        <translation>Zehn Bilder zurück</translation>
    </message>
    <message>
        <source>First frame</source>
        <translation>Erstes Bild</translation>
    </message>
    <message>
        <source>Last frame</source>
        <translation>Letztes Bild</translation>
    </message>
    <message>
        <source>Next prompt</source>
        <translation>Nächster Prompt</translation>
    </message>
    <message>
        <source>Previous prompt</source>
        <translation>Vorheriger Prompt</translation>
    </message>
    <message>
        <source>Next doubtful frame</source>
        <translation>Nächstes zweifelhaftes Bild</translation>
    </message>
    <message>
        <source>Range begins here</source>
        <translation>Bereich beginnt hier</translation>
    </message>
    <message>
        <source>Range ends here</source>
        <translation>Bereich endet hier</translation>
    </message>
    <message>
        <source>No range</source>
        <translation>Kein Bereich</translation>
    </message>
    <message>
        <source>Work on the range alone (without one: on the whole clip)</source>
        <translation>Nur am Bereich arbeiten (ohne Bereich: am ganzen Clip)</translation>
    </message>
    <message>
        <source>Next expression</source>
        <translation>Nächster Ausdruck</translation>
    </message>
    <message>
        <source>Previous expression</source>
        <translation>Vorheriger Ausdruck</translation>
    </message>
    <message>
        <source>Next clip</source>
        <translation>Nächster Clip</translation>
    </message>
    <message>
        <source>Previous clip</source>
        <translation>Vorheriger Clip</translation>
    </message>
    <message>
        <source>Next entry to review</source>
        <translation>Nächster Eintrag zum Durchsehen</translation>
    </message>
    <message>
        <source>Previous entry to review</source>
        <translation>Vorheriger Eintrag zum Durchsehen</translation>
    </message>
    <message>
        <source>Back to the entry that was looked at before</source>
        <translation>Zurück zum Eintrag, der zuvor angesehen wurde</translation>
    </message>
    <message>
        <source>Calibration: what scores are worth...</source>
        <translation>Kalibrierung: was Bewertungen wert sind...</translation>
    </message>
    <message>
        <source>Next candidate</source>
        <translation>Nächster Kandidat</translation>
    </message>
    <message>
        <source>Previous candidate</source>
        <translation>Vorheriger Kandidat</translation>
    </message>
    <message>
        <source>Higher threshold: fewer candidates</source>
        <translation>Höhere Schwelle: weniger Kandidaten</translation>
    </message>
    <message>
        <source>Lower threshold: more candidates</source>
        <translation>Niedrigere Schwelle: mehr Kandidaten</translation>
    </message>
    <message>
        <source>Accept the candidate</source>
        <translation>Kandidat annehmen</translation>
    </message>
    <message>
        <source>Reject the candidate</source>
        <translation>Kandidat ablehnen</translation>
    </message>
    <message>
        <source>Next object</source>
        <translation>Nächstes Objekt</translation>
    </message>
    <message>
        <source>New object</source>
        <translation>Neues Objekt</translation>
    </message>
    <message>
        <source>Remove the object</source>
        <translation>Objekt entfernen</translation>
    </message>
    <message>
        <source>Track forward; again: stop</source>
        <translation>Vorwärts verfolgen; erneut: anhalten</translation>
    </message>
    <message>
        <source>Track backward; again: stop</source>
        <translation>Rückwärts verfolgen; erneut: anhalten</translation>
    </message>
    <message>
        <source>Track both ways; again: stop</source>
        <translation>In beide Richtungen verfolgen; erneut: anhalten</translation>
    </message>
    <message>
        <source>Reviewed: the range, or this frame</source>
        <translation>Geprüft: Bereich oder dieses Bild</translation>
    </message>
    <message>
        <source>Lock or unlock the range, or this frame</source>
        <translation>Bereich oder dieses Bild sperren oder entsperren</translation>
    </message>
    <message>
        <source>Absent on the range, or on this frame</source>
        <translation>Nicht zu sehen: im Bereich oder in diesem Bild</translation>
    </message>
    <message>
        <source>Delete masks of the range, or of this frame</source>
        <translation>Masken des Bereichs oder dieses Bildes löschen</translation>
    </message>
    <message>
        <source>Copy the mask to the next frame</source>
        <translation>Maske ins nächste Bild kopieren</translation>
    </message>
    <message>
        <source>Revert what the last correction changed here</source>
        <translation>Hiesige Änderungen der letzten Korrektur zurücknehmen</translation>
    </message>
    <message>
        <source>Another object from this frame on</source>
        <translation>Ab diesem Bild ein anderes Objekt</translation>
    </message>
    <message>
        <source>Select</source>
        <translation>Auswählen</translation>
    </message>
    <message>
        <source>Points</source>
        <translation>Punkte</translation>
    </message>
    <message>
        <source>Box</source>
        <translation>Rechteck</translation>
    </message>
    <message>
        <source>Brush</source>
        <translation>Pinsel</translation>
    </message>
    <message>
        <source>Eraser</source>
        <translation>Radierer</translation>
    </message>
    <message>
        <source>Object 1</source>
        <translation>Objekt 1</translation>
    </message>
    <message>
        <source>Object 2</source>
        <translation>Objekt 2</translation>
    </message>
    <message>
        <source>Object 3</source>
        <translation>Objekt 3</translation>
    </message>
    <message>
        <source>Object 4</source>
        <translation>Objekt 4</translation>
    </message>
    <message>
        <source>Object 5</source>
        <translation>Objekt 5</translation>
    </message>
    <message>
        <source>Object 6</source>
        <translation>Objekt 6</translation>
    </message>
    <message>
        <source>Object 7</source>
        <translation>Objekt 7</translation>
    </message>
    <message>
        <source>Object 8</source>
        <translation>Objekt 8</translation>
    </message>
    <message>
        <source>Object 9</source>
        <translation>Objekt 9</translation>
    </message>
    <message>
        <source>What can be pressed here</source>
        <translation>Tastenübersicht</translation>
    </message>
    <message>
        <source>What the settings mean</source>
        <translation>Bedeutung der Einstellungen</translation>
    </message>
    <message>
        <source>Copy diagnostics</source>
        <translation>Diagnose kopieren</translation>
    </message>
    <message>
        <source>About DecAF GUI</source>
        <translation>Über DecAF GUI</translation>
    </message>
    <message>
        <source>Positive point: this belongs to the object</source>
        <translation>Positiver Punkt: gehört zum Objekt</translation>
    </message>
    <message>
        <source>left click</source>
        <translation>Linksklick</translation>
    </message>
    <message>
        <source>Negative point: this does not</source>
        <translation>Negativer Punkt: gehört nicht dazu</translation>
    </message>
    <message>
        <source>right click</source>
        <translation>Rechtsklick</translation>
    </message>
    <message>
        <source>See the mask of a click before it (with Alt: of a negative one)</source>
        <translation>Maske eines Klicks vorab sehen (mit Alt: eines negativen)</translation>
    </message>
    <message>
        <source>Shift held</source>
        <translation>Shift gedrückt halten</translation>
    </message>
    <message>
        <source>Move a point, or take it away</source>
        <translation>Punkt verschieben oder entfernen</translation>
    </message>
    <message>
        <source>drag it, click on it</source>
        <translation>ziehen bzw. anklicken</translation>
    </message>
    <message>
        <source>Shift and drag, or the box tool</source>
        <translation>mit Shift ziehen, oder Rechteck-Werkzeug</translation>
    </message>
    <message>
        <source>Brush, eraser</source>
        <translation>Pinsel, Radierer</translation>
    </message>
    <message>
        <source>left drag; right drag does the other one</source>
        <translation>mit links ziehen; mit rechts das jeweils andere</translation>
    </message>
    <message>
        <source>Brush size</source>
        <translation>Pinselgröße</translation>
    </message>
    <message>
        <source>Ctrl and wheel</source>
        <translation>Ctrl und Mausrad</translation>
    </message>
    <message>
        <source>Zoom at the pointer</source>
        <translation>Am Mauszeiger zoomen</translation>
    </message>
    <message>
        <source>wheel</source>
        <translation>Mausrad</translation>
    </message>
    <message>
        <source>Pan</source>
        <translation>Ausschnitt verschieben</translation>
    </message>
    <message>
        <source>middle drag, or Space and drag</source>
        <translation>mit mittlerer Taste ziehen, oder mit Space ziehen</translation>
    </message>
    <message>
        <source>middle double click</source>
        <translation>Doppelklick mit mittlerer Taste</translation>
    </message>
    <message>
        <source>Timeline: go to a frame</source>
        <translation>Zeitleiste: zu einem Bild gehen</translation>
    </message>
    <message>
        <source>left click or drag</source>
        <translation>Linksklick oder mit links ziehen</translation>
    </message>
    <message>
        <source>Timeline: choose a range</source>
        <translation>Zeitleiste: Bereich wählen</translation>
    </message>
    <message>
        <source>Shift and drag, or right drag</source>
        <translation>mit Shift ziehen, oder mit rechts ziehen</translation>
    </message>
    <message>
        <source>Timeline: what can be done to the object</source>
        <translation>Zeitleiste: Aktionen für das Objekt</translation>
    </message>
    <message>
        <source>right click on its lane</source>
        <translation>Rechtsklick auf seine Spur</translation>
    </message>
    <message>
        <source>Timeline: zoom in time, go along it</source>
        <translation>Zeitleiste: zeitlich zoomen, entlangfahren</translation>
    </message>
    <message>
        <source>Ctrl and wheel, Shift and wheel</source>
        <translation>Ctrl und Mausrad, Shift und Mausrad</translation>
    </message>
    <message>
        <source>Multimodal LLM</source>
        <translation>Multimodales LLM</translation>
    </message>
    <message>
        <source>What finds objects from words: a model of the list, a hub id, or a folder.</source>
        <translation>Findet Objekte anhand von Worten: ein Modell der Liste, eine Hub-ID oder ein Ordner.</translation>
    </message>
    <message>
        <source>SAM2</source>
        <translation>SAM2</translation>
    </message>
    <message>
        <source>What makes and tracks masks: a model of the list, a file, or a folder.</source>
        <translation>Erzeugt und verfolgt Masken: ein Modell der Liste, eine Datei oder ein Ordner.</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Where the models run: cpu, cuda, cuda:1, mps, or auto for the best that is there.</source>
        <translation>Wo die Modelle laufen: cpu, cuda, cuda:1, mps oder auto für das beste vorhandene Gerät.</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Of the multimodal LLM&apos;s numbers; auto is bfloat16 on a GPU.</source>
        <translation>Der Zahlen des multimodalen LLM; auto ist bfloat16 auf einer GPU.</translation>
    </message>
    <message>
        <source>What suits the device</source>
        <translation>Passend zum Gerät</translation>
    </message>
    <message>
        <source>float32 (exact, twice the memory)</source>
        <translation>float32 (exakt, doppelter Speicherbedarf)</translation>
    </message>
    <message>
        <source>bfloat16 (as released)</source>
        <translation>bfloat16 (wie veröffentlicht)</translation>
    </message>
    <message>
        <source>float16 (older GPUs)</source>
        <translation>float16 (ältere GPUs)</translation>
    </message>
    <message>
        <source>8 bits (half the memory; needs bitsandbytes)</source>
        <translation>8 Bit (halber Speicher; braucht bitsandbytes)</translation>
    </message>
    <message>
        <source>4 bits (a quarter; needs bitsandbytes)</source>
        <translation>4 Bit (ein Viertel; braucht bitsandbytes)</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Voreinstellung</translation>
    </message>
    <message>
        <source>Which reading of the papers the defaults of the method are.</source>
        <translation>Welcher Lesart der Artikel die Standardwerte der Methode folgen.</translation>
    </message>
    <message>
        <source>The released code, which made the published tables</source>
        <translation>Der veröffentlichte Code, aus dem die publizierten Tabellen stammen</translation>
    </message>
    <message>
        <source>The equations as they are printed</source>
        <translation>Die Gleichungen, wie sie gedruckt sind</translation>
    </message>
    <message>
        <source>SteerSeg: attributes first, ranking by correlation</source>
        <translation>SteerSeg: zuerst Merkmale, Rangfolge nach Korrelation</translation>
    </message>
    <message>
        <source>Settings of the method</source>
        <translation>Einstellungen der Methode</translation>
    </message>
    <message>
        <source>Those that differ from the preset.</source>
        <translation>Diejenigen, die von der Voreinstellung abweichen.</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Design</translation>
    </message>
    <message>
        <source>Light or dark windows.</source>
        <translation>Helle oder dunkle Fenster.</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Masks</source>
        <translation>Masken</translation>
    </message>
    <message>
        <source>How opaque masks lie on the frame.</source>
        <translation>Wie deckend Masken auf dem Bild liegen.</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>Aufmerksamkeit</translation>
    </message>
    <message>
        <source>How opaque the attention lies on the frame.</source>
        <translation>Wie deckend die Aufmerksamkeit auf dem Bild liegt.</translation>
    </message>
    <message>
        <source>Object colours</source>
        <translation>Objektfarben</translation>
    </message>
    <message>
        <source>The colours that objects get in turn.</source>
        <translation>Die Farben, die Objekte der Reihe nach erhalten.</translation>
    </message>
    <message>
        <source>Key preset</source>
        <translation>Tastenbelegung</translation>
    </message>
    <message>
        <source>Which keys actions have at first.</source>
        <translation>Welche Tasten Aktionen anfangs haben.</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>Sampled frames</source>
        <translation>Ausgewählte Bilder</translation>
    </message>
    <message>
        <source>Ts: how many frames of the clip the multimodal LLM is shown, evenly spread.</source>
        <translation>Ts: wie viele Bilder des Clips dem multimodalen LLM gezeigt werden, gleichmäßig verteilt.</translation>
    </message>
    <message>
        <source>Visual tokens of a video frame</source>
        <translation>Visuelle Tokens je Videobild</translation>
    </message>
    <message>
        <source>The most visual tokens that one frame of the video input may take; more see finer and cost more memory.</source>
        <translation>Höchstzahl visueller Tokens für ein Bild der Videoeingabe; mehr erfassen feinere Details und kosten mehr Speicher.</translation>
    </message>
    <message>
        <source>Scale of frame inputs</source>
        <translation>Maßstab der Einzelbilder</translation>
    </message>
    <message>
        <source>How many times the video grid&apos;s width and height a single frame has when it is shown on its own.</source>
        <translation>Wievielmal so breit und hoch wie das Raster des Videos ein Bild ist, wenn es einzeln gezeigt wird.</translation>
    </message>
    <message>
        <source>Rollout</source>
        <translation>Rollout</translation>
    </message>
    <message>
        <source>How heads are weighted: vmax by their attention to visual tokens, max to any token, plain not at all.</source>
        <translation>Wie Köpfe gewichtet werden: vmax nach ihrer Aufmerksamkeit auf visuelle Tokens, max auf beliebige Tokens, plain gar nicht.</translation>
    </message>
    <message>
        <source>First rolled layer</source>
        <translation>Erste Schicht des Rollouts</translation>
    </message>
    <message>
        <source>The decoder layer at which the rollout begins, counted from 0.</source>
        <translation>Die Decoder-Schicht, bei der der Rollout beginnt, gezählt ab 0.</translation>
    </message>
    <message>
        <source>Smooth raw maps</source>
        <translation>Rohe Karten glätten</translation>
    </message>
    <message>
        <source>A Gaussian over the raw maps, before anything else.</source>
        <translation>Eine Gaußglocke über die rohen Karten, vor allem anderen.</translation>
    </message>
    <message>
        <source>Smoothing</source>
        <translation>Glättung</translation>
    </message>
    <message>
        <source>Standard deviation of the Gaussian on the raw maps, in tokens; above 0.</source>
        <translation>Standardabweichung des Gauß-Filters auf den Rohkarten, in Tokens; größer als 0.</translation>
    </message>
    <message>
        <source>Smoothing window of video maps</source>
        <translation>Glättungsfenster der Videokarten</translation>
    </message>
    <message>
        <source>Width of the Gaussian&apos;s window on the video maps, in tokens; odd.</source>
        <translation>Fensterbreite des Gauß-Filters auf den Videokarten, in Tokens; ungerade.</translation>
    </message>
    <message>
        <source>Smoothing window of frame maps</source>
        <translation>Glättungsfenster der Bildkarten</translation>
    </message>
    <message>
        <source>Width of the Gaussian&apos;s window on the frame maps, in tokens; odd.</source>
        <translation>Fensterbreite des Gauß-Filters auf den Bildkarten, in Tokens; ungerade.</translation>
    </message>
    <message>
        <source>Contrast with the background</source>
        <translation>Kontrast zum Hintergrund</translation>
    </message>
    <message>
        <source>Subtract what the model looks at when it is asked for the scene without the object.</source>
        <translation>Zieht ab, worauf das Modell schaut, wenn es nach der Szene ohne das Objekt gefragt wird.</translation>
    </message>
    <message>
        <source>Inputs</source>
        <translation>Eingaben</translation>
    </message>
    <message>
        <source>What the model is shown: the video and its frames (fused), or only one of them.</source>
        <translation>Was dem Modell gezeigt wird: das Video und seine Bilder (fused) oder nur eines von beiden.</translation>
    </message>
    <message>
        <source>Tokens beside the grid</source>
        <translation>Tokens neben dem Raster</translation>
    </message>
    <message>
        <source>Thumbnails, base tiles and newlines of some models: left out (paper) or shown, but in no map (native).</source>
        <translation>Vorschaubilder, Basiskacheln und Zeilenenden mancher Modelle: weggelassen (paper) oder gezeigt, aber in keiner Karte (native).</translation>
    </message>
    <message>
        <source>Object question</source>
        <translation>Frage nach dem Objekt</translation>
    </message>
    <message>
        <source>Asks for the object: a wording by name, or one&apos;s own with {expression}, {attributes}; \n is a new line.</source>
        <translation>Fragt nach dem Objekt: eine Formulierung beim Namen oder eine eigene mit {expression}, {attributes}; \n ist eine neue Zeile.</translation>
    </message>
    <message>
        <source>Category question</source>
        <translation>Frage nach der Klasse</translation>
    </message>
    <message>
        <source>Asks which answer is meant: a wording by name, or one&apos;s own with {expression} and {candidates}.</source>
        <translation>Fragt, welche Antwort gemeint ist: eine Formulierung beim Namen oder eine eigene mit {expression} und {candidates}.</translation>
    </message>
    <message>
        <source>Background question</source>
        <translation>Frage nach dem Hintergrund</translation>
    </message>
    <message>
        <source>Asks for the scene without the object: a wording by name, or one&apos;s own with {category} or {expression}.</source>
        <translation>Fragt nach der Szene ohne das Objekt: eine Formulierung beim Namen oder eine eigene mit {category} oder {expression}.</translation>
    </message>
    <message>
        <source>Ask for attributes</source>
        <translation>Nach Merkmalen fragen</translation>
    </message>
    <message>
        <source>First ask what tells the object from others (colour, position, motion); the object question names it.</source>
        <translation>Zuerst fragen, was das Objekt von anderen unterscheidet (Farbe, Lage, Bewegung); die Frage nach dem Objekt nennt es.</translation>
    </message>
    <message>
        <source>Attributes question</source>
        <translation>Frage nach Merkmalen</translation>
    </message>
    <message>
        <source>Asks for attributes and reasons: a wording by name, or one&apos;s own with {expression}.</source>
        <translation>Fragt nach Merkmalen und Gründen: eine Formulierung beim Namen oder eine eigene mit {expression}.</translation>
    </message>
    <message>
        <source>Soft prompts</source>
        <translation>Soft Prompts</translation>
    </message>
    <message>
        <source>What steers the attention: a file of soft prompts, those that come with the model (auto), or none. In the window for the method SteerSeg.</source>
        <translation>Was die Aufmerksamkeit lenkt: eine Datei mit Soft Prompts, die des Modells (auto) oder nichts (none). Im Fenster für die Methode SteerSeg.</translation>
    </message>
    <message>
        <source>Longest answer</source>
        <translation>Längste Antwort</translation>
    </message>
    <message>
        <source>The most tokens that the model may answer with.</source>
        <translation>Höchstzahl der Tokens, mit denen das Modell antworten darf.</translation>
    </message>
    <message>
        <source>Frames at a time</source>
        <translation>Bilder auf einmal</translation>
    </message>
    <message>
        <source>How many frame inputs go through the model together; fewer need less memory.</source>
        <translation>Wie viele Einzelbilder gemeinsam durch das Modell gehen; weniger brauchen weniger Speicher.</translation>
    </message>
    <message>
        <source>Tokens at a time</source>
        <translation>Tokens auf einmal</translation>
    </message>
    <message>
        <source>How many tokens are read in one step before the answer; fewer need less memory.</source>
        <translation>Wie viele Tokens vor der Antwort in einem Schritt gelesen werden; weniger brauchen weniger Speicher.</translation>
    </message>
    <message>
        <source>Frames at a time in the vision tower</source>
        <translation>Bilder auf einmal im Vision-Tower</translation>
    </message>
    <message>
        <source>How many inputs are turned into visual tokens together; fewer need less memory.</source>
        <translation>Wie viele Eingaben gemeinsam in visuelle Tokens umgewandelt werden; weniger brauchen weniger Speicher.</translation>
    </message>
    <message>
        <source>Point query threshold</source>
        <translation>Schwelle für Punktanfragen</translation>
    </message>
    <message>
        <source>Tokens whose attention is at least this become point queries; lower gives more candidates.</source>
        <translation>Tokens mit mindestens dieser Aufmerksamkeit werden zu Punktanfragen; niedriger ergibt mehr Kandidaten.</translation>
    </message>
    <message>
        <source>Tracklet threshold</source>
        <translation>Tracklet-Schwelle</translation>
    </message>
    <message>
        <source>Tracklets that score above it are selected; when none does, the best one is.</source>
        <translation>Tracklets mit höherer Bewertung werden ausgewählt; gibt es keines, dann das beste.</translation>
    </message>
    <message>
        <source>Overlap of duplicates</source>
        <translation>Überlappung von Duplikaten</translation>
    </message>
    <message>
        <source>A candidate whose IoU with a better one is above this is taken for the same object and dropped.</source>
        <translation>Ein Kandidat, dessen IoU mit einem besseren darüber liegt, gilt als dasselbe Objekt und entfällt.</translation>
    </message>
    <message>
        <source>Scoring</source>
        <translation>Bewertung</translation>
    </message>
    <message>
        <source>Ranks tracklets by attention consistency (DecAF), or by correlation with the rollout maps (pearson).</source>
        <translation>Ordnet Tracklets nach Aufmerksamkeitskonsistenz (DecAF) oder nach Korrelation mit den Rollout-Karten (pearson).</translation>
    </message>
    <message>
        <source>Which tracklets are selected</source>
        <translation>Welche Tracklets ausgewählt werden</translation>
    </message>
    <message>
        <source>All that score above their threshold (and the best when none does), or the best one alone.</source>
        <translation>Alle mit einer Bewertung über ihrer Schwelle (gibt es keines, das beste), oder das beste allein.</translation>
    </message>
    <message>
        <source>Weight of the frames</source>
        <translation>Gewicht der Einzelbilder</translation>
    </message>
    <message>
        <source>The share of the frame maps&apos; correlation in the score of pearson; the rest is the video map&apos;s.</source>
        <translation>Der Anteil der Korrelation mit den Einzelbildkarten an der Bewertung von pearson; der Rest ist der der Videokarte.</translation>
    </message>
    <message>
        <source>Correlation threshold</source>
        <translation>Korrelationsschwelle</translation>
    </message>
    <message>
        <source>The tracklet threshold of pearson, where all above it are selected.</source>
        <translation>Die Tracklet-Schwelle von pearson, wo alle darüber ausgewählt werden.</translation>
    </message>
    <message>
        <source>What counts as attended</source>
        <translation>Was als beachtet gilt</translation>
    </message>
    <message>
        <source>mu_t, the value above which a cell of a frame&apos;s map is attended: the map&apos;s mean, or Otsu&apos;s threshold.</source>
        <translation>mu_t, der Wert, oberhalb dessen eine Zelle der Karte eines Bildes als beachtet gilt: der Mittelwert der Karte oder die Otsu-Schwelle.</translation>
    </message>
    <message>
        <source>Penalty outside</source>
        <translation>Abzug außerhalb</translation>
    </message>
    <message>
        <source>Cells that are not attended count minus the frame&apos;s largest attention, instead of 0.</source>
        <translation>Nicht beachtete Zellen zählen minus die größte Aufmerksamkeit des Bildes statt 0.</translation>
    </message>
    <message>
        <source>Attention consistency</source>
        <translation>Aufmerksamkeitskonsistenz</translation>
    </message>
    <message>
        <source>Score how well a tracklet stays on attended regions; off, a score is the mean of the other two parts.</source>
        <translation>Bewertet, wie gut ein Tracklet auf beachteten Regionen bleibt; ausgeschaltet ist die Bewertung das Mittel der beiden anderen Teile.</translation>
    </message>
    <message>
        <source>Normalise consistency</source>
        <translation>Konsistenz normieren</translation>
    </message>
    <message>
        <source>Divide positive consistencies by the best tracklet&apos;s (released code; the paper&apos;s text does not).</source>
        <translation>Teilt positive Konsistenzen durch die des besten Tracklets (veröffentlichter Code; der Text des Artikels tut dies nicht).</translation>
    </message>
    <message>
        <source>Strict comparisons</source>
        <translation>Strenge Vergleiche</translation>
    </message>
    <message>
        <source>Compare with &gt; (released code) instead of &gt;= (the paper&apos;s text) for mu_t and the tracklet threshold.</source>
        <translation>Vergleicht bei mu_t und der Tracklet-Schwelle mit &gt; (veröffentlichter Code) statt mit &gt;= (Text des Artikels).</translation>
    </message>
    <message>
        <source>Track candidates both ways</source>
        <translation>Kandidaten in beide Richtungen verfolgen</translation>
    </message>
    <message>
        <source>Follow candidates backward too (released code), instead of forward only (the paper&apos;s text).</source>
        <translation>Verfolgt Kandidaten auch rückwärts (veröffentlichter Code) statt nur vorwärts (Text des Artikels).</translation>
    </message>
    <message>
        <source>Clips read, on the device</source>
        <translation>Gelesene Clips, auf dem Gerät</translation>
    </message>
    <message>
        <source>GPU memory for what the multimodal LLM has read of clips; a further expression on them is then quick.</source>
        <translation>GPU-Speicher für das, was das multimodale LLM von Clips gelesen hat; ein weiterer Ausdruck dazu geht dann schnell.</translation>
    </message>
    <message>
        <source>Clips read, in main memory</source>
        <translation>Gelesene Clips, im Hauptspeicher</translation>
    </message>
    <message>
        <source>Main memory for what no longer fits on the device.</source>
        <translation>Hauptspeicher für das, was nicht mehr auf das Gerät passt.</translation>
    </message>
    <message>
        <source>Frame features, on the device</source>
        <translation>Bildmerkmale, auf dem Gerät</translation>
    </message>
    <message>
        <source>GPU memory for SAM2&apos;s features of frames; clicks on known frames are answered at once.</source>
        <translation>GPU-Speicher für die Bildmerkmale von SAM2; Klicks in bekannten Bildern werden sofort beantwortet.</translation>
    </message>
    <message>
        <source>Frame features, in main memory</source>
        <translation>Bildmerkmale, im Hauptspeicher</translation>
    </message>
    <message>
        <source>Main memory for the features that no longer fit on the device.</source>
        <translation>Hauptspeicher für die Merkmale, die nicht mehr auf das Gerät passen.</translation>
    </message>
    <message>
        <source>{0} % [{1}, {2}] on {3} decisions</source>
        <translation>{0} % [{1}, {2}] bei {3} Entscheidungen</translation>
    </message>
    <message>
        <source>{0} % [{1}, {2}] on 1 decision</source>
        <translation>{0} % [{1}, {2}] bei 1 Entscheidung</translation>
    </message>
    <message>
        <source>{0} to judge</source>
        <translation>{0} zu beurteilen</translation>
    </message>
    <message>
        <source>nothing found</source>
        <translation>nichts gefunden</translation>
    </message>
    <message>
        <source>reviewed</source>
        <translation>durchgesehen</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>gescheitert</translation>
    </message>
    <message>
        <source>being labelled</source>
        <translation>wird gerade markiert</translation>
    </message>
    <message>
        <source>not labelled yet</source>
        <translation>noch nicht markiert</translation>
    </message>
    <message>
        <source>{0}, doubt {1:.2f}, best score {2:.2f}</source>
        <translation>{0}, Zweifel {1:.2f}, beste Bewertung {2:.2f}</translation>
    </message>
    <message>
        <source>score {0:.2f}</source>
        <translation>Bew. {0:.2f}</translation>
    </message>
</context>
<context>
    <name>AnswerPanel</name>
    <message>
        <source>The model answers: &lt;b&gt;{0}&lt;/b&gt;</source>
        <translation>Das Modell antwortet: &lt;b&gt;{0}&lt;/b&gt;</translation>
    </message>
    <message>
        <source>{0} of {1} answers say so</source>
        <translation>{0} von {1} Antworten lauten so</translation>
    </message>
    <message>
        <source>You said: &lt;b&gt;no target&lt;/b&gt; in this clip</source>
        <translation>Ihre Angabe: &lt;b&gt;kein Ziel&lt;/b&gt; in diesem Clip</translation>
    </message>
</context>
<context>
    <name>AttributesLine</name>
    <message>
        <source>colour; position; motion</source>
        <translation>Farbe; Lage; Bewegung</translation>
    </message>
    <message>
        <source>What tells the object from others like it. Return proposes again with these attributes, with none where the line is empty; Propose asks the model for them anew.</source>
        <translation>Was das Objekt von ähnlichen unterscheidet. Die Eingabetaste schlägt erneut mit diesen Merkmalen vor, bei leerer Zeile ohne; Vorschlagen fragt das Modell neu danach.</translation>
    </message>
    <message>
        <source>Attributes</source>
        <translation>Merkmale</translation>
    </message>
    <message>
        <source>Propose again</source>
        <translation>Erneut vorschlagen</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Copy diagnostics</source>
        <translation>Diagnose kopieren</translation>
    </message>
    <message>
        <source>What a report of this needs: versions, device, memory, the end of the log</source>
        <translation>Was ein Fehlerbericht dazu braucht: Versionen, Gerät, Speicher, Ende des Protokolls</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>CalibrationDialog</name>
    <message>
        <source>Calibration: what scores are worth</source>
        <translation>Kalibrierung: was Bewertungen wert sind</translation>
    </message>
    <message>
        <source>Find the threshold</source>
        <translation>Schwelle suchen</translation>
    </message>
    <message>
        <source>The lowest score above which the interval begins at this precision or better</source>
        <translation>Die niedrigste Bewertung, über der das Intervall bei dieser Genauigkeit oder besser beginnt</translation>
    </message>
    <message>
        <source>Take back the {0} accepted last</source>
        <translation>Die {0} zuletzt angenommenen zurücknehmen</translation>
    </message>
    <message>
        <source>Nothing has been decided in this set yet. Judge some candidates: each accepted or rejected one tells what its score is worth.</source>
        <translation>In diesem Satz ist noch nichts entschieden. Beurteilen Sie einige Kandidaten: Jeder angenommene oder abgelehnte sagt, was seine Bewertung wert ist.</translation>
    </message>
    <message>
        <source>Of the candidates that persons decided on at or above a score: the share that they accepted, and Wilson&apos;s 95 % interval. Candidates that were accepted by their score alone do not count. It holds for the rest of the set as far as those that were decided on are like the rest; the most doubtful ones, reviewed first, tend to be worse.</source>
        <translation>Von den Kandidaten ab einer Bewertung, über die Menschen entschieden haben: der Anteil, den sie angenommen haben, und Wilsons 95-%-Intervall. Kandidaten, die allein nach ihrer Bewertung angenommen wurden, zählen nicht. Für den Rest des Satzes gilt das, soweit die entschiedenen dem Rest gleichen; die zweifelhaftesten, die zuerst durchgesehen werden, sind eher schlechter.</translation>
    </message>
    <message>
        <source>Above</source>
        <translation>Ab</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>95 % interval</source>
        <translation>95-%-Intervall</translation>
    </message>
    <message>
        <source>Decisions</source>
        <translation>Entscheidungen</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Warten</translation>
    </message>
    <message>
        <source>Precision of at least</source>
        <translation>Genauigkeit mindestens</translation>
    </message>
    <message>
        <source>Scores above</source>
        <translation>Bewertung ab</translation>
    </message>
    <message>
        <source>no score yet: more decisions are needed</source>
        <translation>noch keine: Es braucht mehr Entscheidungen</translation>
    </message>
    <message>
        <source>Above {0} nothing has been decided yet.</source>
        <translation>Ab {0} ist noch nichts entschieden.</translation>
    </message>
    <message>
        <source>Above {0}: {1}</source>
        <translation>Ab {0}: {1}</translation>
    </message>
    <message>
        <source>Accept all {0} waiting above {1}...</source>
        <translation>Alle {0} wartenden ab {1} annehmen...</translation>
    </message>
</context>
<context>
    <name>CandidatesPanel</name>
    <message>
        <source>Objects and candidates</source>
        <translation>Objekte und Kandidaten</translation>
    </message>
    <message>
        <source>Candidates with a score under this are ghosts. No model runs.</source>
        <translation>Kandidaten mit niedrigerer Bewertung sind Ghost-Kandidaten. Es läuft kein Modell.</translation>
    </message>
    <message>
        <source>Nothing here yet: ask for something, or click on an object in the frame.</source>
        <translation>Noch nichts vorhanden: Suchen Sie nach etwas oder klicken Sie im Bild auf ein Objekt.</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Schwelle</translation>
    </message>
    <message>
        <source>objects: {0}   candidates: {1}   ghosts: {2}</source>
        <translation>Objekte: {0}   Kandidaten: {1}   Ghosts: {2}</translation>
    </message>
</context>
<context>
    <name>ClipsPanel</name>
    <message>
        <source>Add clips (Ctrl+O); files and folders can be dropped on the window, too</source>
        <translation>Clips hinzufügen (Strg+O); Dateien und Ordner lassen sich auch auf das Fenster ziehen</translation>
    </message>
    <message>
        <source>What you ask for is listed here.</source>
        <translation>Hier erscheint, wonach Sie suchen.</translation>
    </message>
    <message>
        <source>Clips</source>
        <translation>Clips</translation>
    </message>
    <message>
        <source>Expressions</source>
        <translation>Ausdrücke</translation>
    </message>
    <message>
        <source>file is missing: relink</source>
        <translation>Datei fehlt: neu zuordnen</translation>
    </message>
    <message>
        <source>1 object</source>
        <translation>1 Objekt</translation>
    </message>
    <message>
        <source>{0} objects</source>
        <translation>{0} Objekte</translation>
    </message>
    <message>
        <source>{0} to judge, {1}</source>
        <translation>{0} zu beurteilen, {1}</translation>
    </message>
    <message>
        <source>judged, {0}</source>
        <translation>beurteilt, {0}</translation>
    </message>
    <message>
        <source>in work, {0}</source>
        <translation>in Arbeit, {0}</translation>
    </message>
    <message>
        <source>todo</source>
        <translation>offen</translation>
    </message>
    <message>
        <source>looking...</source>
        <translation>sucht...</translation>
    </message>
    <message>
        <source>not proposed yet</source>
        <translation>noch nichts vorgeschlagen</translation>
    </message>
    <message>
        <source>no target</source>
        <translation>kein Ziel</translation>
    </message>
    <message>
        <source>{0} to judge</source>
        <translation>{0} zu beurteilen</translation>
    </message>
    <message>
        <source>{0} accepted</source>
        <translation>{0} angenommen</translation>
    </message>
</context>
<context>
    <name>CompareDialog</name>
    <message>
        <source>Compare methods</source>
        <translation>Methoden vergleichen</translation>
    </message>
    <message>
        <source>Frame</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>Masks</source>
        <translation>Masken</translation>
    </message>
    <message>
        <source>Where the model looked: all of it, or one of the maps that were fused</source>
        <translation>Wohin das Modell sah: alles zusammen oder eine der Karten, die vereint wurden</translation>
    </message>
    <message>
        <source>What is found for &quot;{0}&quot;</source>
        <translation>Was für „{0}“ gefunden wird</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>Aufmerksamkeit</translation>
    </message>
    <message>
        <source>Neither of them selected anything.</source>
        <translation>Keine von beiden hat etwas ausgewählt.</translation>
    </message>
    <message>
        <source>Both selected the same.</source>
        <translation>Beide haben dasselbe ausgewählt.</translation>
    </message>
    <message>
        <source>They differ: {0} of {1} selected candidates are not among the other&apos;s.</source>
        <translation>Sie unterscheiden sich: {0} von {1} ausgewählten Kandidaten sind nicht unter denen der anderen.</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
    <message>
        <source>frame {0} of {1}</source>
        <translation>Bild {0} von {1}</translation>
    </message>
</context>
<context>
    <name>Comparing</name>
    <message>
        <source>Comparing, {0}</source>
        <translation>Vergleich, {0}</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>abgebrochen</translation>
    </message>
</context>
<context>
    <name>Desk</name>
    <message>
        <source>Looking for &quot;{0}&quot;</source>
        <translation>Suche nach „{0}“</translation>
    </message>
    <message>
        <source>Prompt on frame {0}</source>
        <translation>Prompt in Bild {0}</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>Vorschau</translation>
    </message>
    <message>
        <source>Exporting to {0}</source>
        <translation>Export nach {0}</translation>
    </message>
    <message>
        <source>Importing from {0}</source>
        <translation>Import aus {0}</translation>
    </message>
    <message>
        <source>Tracking {0}</source>
        <translation>Verfolgung von {0}</translation>
    </message>
</context>
<context>
    <name>ExportDialog</name>
    <message>
        <source>Export labels</source>
        <translation>Labels exportieren</translation>
    </message>
    <message>
        <source>Browse...</source>
        <translation>Durchsuchen...</translation>
    </message>
    <message>
        <source>all {0} clips</source>
        <translation>alle {0} Clips</translation>
    </message>
    <message>
        <source>this clip alone</source>
        <translation>nur dieser Clip</translation>
    </message>
    <message>
        <source>accepted objects</source>
        <translation>angenommene Objekte</translation>
    </message>
    <message>
        <source>accepted objects, and candidates that wait for a word</source>
        <translation>angenommene Objekte und Kandidaten, die auf ein Urteil warten</translation>
    </message>
    <message>
        <source>the clips&apos; frames, too</source>
        <translation>auch die Bilder der Clips</translation>
    </message>
    <message>
        <source>replace results that are there</source>
        <translation>vorhandene Ergebnisse ersetzen</translation>
    </message>
    <message>
        <source>open the folder when all is written</source>
        <translation>Ordner nach dem Schreiben öffnen</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>{0}
Keeps {1}
Loses {2}</source>
        <translation>{0}
Behält {1}
Verliert {2}</translation>
    </message>
    <message>
        <source>Formats</source>
        <translation>Formate</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Clips</source>
        <translation>Clips</translation>
    </message>
    <message>
        <source>Objects</source>
        <translation>Objekte</translation>
    </message>
    <message>
        <source>Folder for the labels</source>
        <translation>Ordner für die Labels</translation>
    </message>
    <message>
        <source>Choose a format.</source>
        <translation>Wählen Sie ein Format.</translation>
    </message>
    <message>
        <source>Choose a folder.</source>
        <translation>Wählen Sie einen Ordner.</translation>
    </message>
    <message>
        <source>{0} is there already: choose another folder, or replace it.</source>
        <translation>{0} ist schon vorhanden: Wählen Sie einen anderen Ordner oder ersetzen Sie es.</translation>
    </message>
    <message>
        <source>{0} clips with {1} frames go to {2}.</source>
        <translation>Clips: {0}, Bilder: {1}, Ausgabe in: {2}.</translation>
    </message>
    <message>
        <source>Replaced: {0}</source>
        <translation>Ersetzt wird: {0}</translation>
    </message>
    <message>
        <source>{0} loses {1}.</source>
        <translation>{0} verliert {1}.</translation>
    </message>
    <message>
        <source>Not ready: {0}</source>
        <translation>Noch nicht fertig: {0}</translation>
    </message>
</context>
<context>
    <name>ExpressionBar</name>
    <message>
        <source>What to look for, such as &quot;the dog that jumps&quot;</source>
        <translation>Wonach gesucht wird, etwa „der Hund, der springt“</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Methode</translation>
    </message>
    <message>
        <source>Propose</source>
        <translation>Vorschlagen</translation>
    </message>
    <message>
        <source>Propose masks for the whole clip (Ctrl+Return)</source>
        <translation>Masken für den ganzen Clip vorschlagen (Strg+Return)</translation>
    </message>
    <message>
        <source>Settings (Ctrl+,)</source>
        <translation>Einstellungen (Strg+,)</translation>
    </message>
    <message>
        <source>asks for the object, takes away the attention to the background, and selects the candidates that stay on what is attended.</source>
        <translation>fragt nach dem Objekt, zieht die Aufmerksamkeit auf den Hintergrund ab und wählt die Kandidaten aus, die auf dem Beachteten bleiben.</translation>
    </message>
    <message>
        <source>first asks what tells the object from others like it (attributes that you can edit), steers the attention by soft prompts where some are set, and selects the candidate that correlates best with it.</source>
        <translation>fragt zuerst, was das Objekt von ähnlichen unterscheidet (Merkmale, die Sie ändern können), lenkt die Aufmerksamkeit mit Soft Prompts, wo welche eingestellt sind, und wählt den Kandidaten aus, der am besten mit ihr korreliert.</translation>
    </message>
</context>
<context>
    <name>ImportDialog</name>
    <message>
        <source>Import labels</source>
        <translation>Labels importieren</translation>
    </message>
    <message>
        <source>Folder...</source>
        <translation>Ordner...</translation>
    </message>
    <message>
        <source>File...</source>
        <translation>Datei...</translation>
    </message>
    <message>
        <source>as it looks</source>
        <translation>wie es aussieht</translation>
    </message>
    <message>
        <source>Import</source>
        <translation>Importieren</translation>
    </message>
    <message>
        <source>Dataset</source>
        <translation>Datensatz</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>Format</translation>
    </message>
    <message>
        <source>Clip of it</source>
        <translation>Clip daraus</translation>
    </message>
    <message>
        <source>Folder of a dataset</source>
        <translation>Ordner eines Datensatzes</translation>
    </message>
    <message>
        <source>Labels (*.json *.txt);;All files (*)</source>
        <translation>Labels (*.json *.txt);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>File of a dataset</source>
        <translation>Datei eines Datensatzes</translation>
    </message>
    <message>
        <source>Choose the folder or the file of a dataset.</source>
        <translation>Wählen Sie den Ordner oder die Datei eines Datensatzes.</translation>
    </message>
    <message>
        <source>{0}. Keeps {1}.</source>
        <translation>{0}. Behält {1}.</translation>
    </message>
    <message>
        <source>There are no labels of this format: {0}.</source>
        <translation>Es gibt keine Labels dieses Formats: {0}.</translation>
    </message>
</context>
<context>
    <name>KeysDialog</name>
    <message>
        <source>Keys and mouse</source>
        <translation>Tasten und Maus</translation>
    </message>
    <message>
        <source>Mouse</source>
        <translation>Maus</translation>
    </message>
    <message>
        <source>Go</source>
        <translation>Navigation</translation>
    </message>
    <message>
        <source>Play and pause</source>
        <translation>Wiedergabe und Pause</translation>
    </message>
    <message>
        <source>Space</source>
        <translation>Leertaste</translation>
    </message>
    <message>
        <source>Search an action or a key</source>
        <translation>Aktion oder Taste suchen</translation>
    </message>
    <message>
        <source>Where</source>
        <translation>Wo</translation>
    </message>
    <message>
        <source>What</source>
        <translation>Was</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
</context>
<context>
    <name>KeysPage</name>
    <message>
        <source>Find an action or a key</source>
        <translation>Aktion oder Taste suchen</translation>
    </message>
    <message>
        <source>Press the keys. Tab goes on to the next field and cannot be given here.</source>
        <translation>Drücken Sie die Tasten. Tab führt zum nächsten Feld und lässt sich hier nicht vergeben.</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Zurücksetzen</translation>
    </message>
    <message>
        <source>Reset all keys</source>
        <translation>Alle Tasten zurücksetzen</translation>
    </message>
    <message>
        <source>Action</source>
        <translation>Aktion</translation>
    </message>
    <message>
        <source>Menu</source>
        <translation>Menü</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>changed</source>
        <translation>geändert</translation>
    </message>
    <message>
        <source>{0} is the key of two actions, {1} and {2}: give one of them another.</source>
        <translation>{0} ist die Taste zweier Aktionen, {1} und {2}: Geben Sie einer davon eine andere.</translation>
    </message>
    <message>
        <source>also: {0}</source>
        <translation>auch: {0}</translation>
    </message>
</context>
<context>
    <name>Line</name>
    <message>
        <source>Shown on the canvas: click to hide (H)</source>
        <translation>Sichtbar: zum Ausblenden klicken (H)</translation>
    </message>
    <message>
        <source>Hidden: click to show</source>
        <translation>Ausgeblendet: zum Einblenden klicken</translation>
    </message>
    <message>
        <source>Locked: click to unlock</source>
        <translation>Gesperrt: zum Entsperren klicken</translation>
    </message>
    <message>
        <source>Click to lock all frames</source>
        <translation>Klicken, um alle Bilder zu sperren</translation>
    </message>
    <message>
        <source>attention at the point</source>
        <translation>Aufmerksamkeit am Punkt</translation>
    </message>
    <message>
        <source>SAM2&apos;s IoU</source>
        <translation>IoU von SAM2</translation>
    </message>
    <message>
        <source>attention consistency</source>
        <translation>Aufmerksamkeitskonsistenz</translation>
    </message>
    <message>
        <source>correlation with the video&apos;s attention</source>
        <translation>Korrelation mit der Aufmerksamkeit des Videos</translation>
    </message>
    <message>
        <source>correlation with the frames&apos; attention</source>
        <translation>Korrelation mit der Aufmerksamkeit der Einzelbilder</translation>
    </message>
    <message>
        <source>mean: {0:.2f}</source>
        <translation>Mittel: {0:.2f}</translation>
    </message>
    <message>
        <source>weighted sum: {0:.2f}</source>
        <translation>gewichtete Summe: {0:.2f}</translation>
    </message>
</context>
<context>
    <name>Look</name>
    <message>
        <source>There are no candidates: ask for something first.</source>
        <translation>Es gibt keine Kandidaten: Suchen Sie zuerst nach etwas.</translation>
    </message>
    <message>
        <source>No further prompt in this direction.</source>
        <translation>Kein weiterer Prompt in dieser Richtung.</translation>
    </message>
    <message>
        <source>Nothing is doubtful any more.</source>
        <translation>Nichts ist mehr zweifelhaft.</translation>
    </message>
    <message>
        <source>Frame {0}: {1} ({2} doubtful frames left).</source>
        <translation>Bild {0}: {1} (zweifelhafte Bilder übrig: {2}).</translation>
    </message>
</context>
<context>
    <name>LookPage</name>
    <message>
        <source>Change...</source>
        <translation>Ändern...</translation>
    </message>
    <message>
        <source>Add...</source>
        <translation>Hinzufügen...</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Restore colours</source>
        <translation>Farben wiederherstellen</translation>
    </message>
    <message>
        <source>Colour of an object</source>
        <translation>Farbe eines Objekts</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Recent projects</source>
        <translation>Zuletzt geöffnete Projekte</translation>
    </message>
    <message>
        <source>More</source>
        <translation>Mehr</translation>
    </message>
    <message>
        <source>Track</source>
        <translation>Verfolgen</translation>
    </message>
    <message>
        <source>Next doubtful</source>
        <translation>Nächster Zweifel</translation>
    </message>
    <message>
        <source>Accept</source>
        <translation>Annehmen</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>This project is open read-only.</source>
        <translation>Dieses Projekt ist schreibgeschützt geöffnet.</translation>
    </message>
    <message>
        <source>read-only</source>
        <translation>schreibgeschützt</translation>
    </message>
    <message>
        <source>saved</source>
        <translation>gespeichert</translation>
    </message>
    <message>
        <source>Models are loaded when they are first needed.</source>
        <translation>Modelle werden geladen, sobald sie gebraucht werden.</translation>
    </message>
    <message>
        <source>{0} is in {1}</source>
        <translation>{0} liegt in {1}</translation>
    </message>
    <message>
        <source>{0} objects on {1} frames were imported ({2})</source>
        <translation>{0} Objekte auf {1} Bildern wurden importiert ({2})</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Erneut versuchen</translation>
    </message>
    <message>
        <source>Models...</source>
        <translation>Modelle...</translation>
    </message>
    <message>
        <source>Open a clip and write an expression first: methods are compared on it.</source>
        <translation>Öffnen Sie zuerst einen Clip und geben Sie einen Ausdruck ein: An ihm werden die Methoden verglichen.</translation>
    </message>
    <message>
        <source>Choose an object first.</source>
        <translation>Wählen Sie zuerst ein Objekt.</translation>
    </message>
    <message>
        <source>Open a clip first.</source>
        <translation>Öffnen Sie zuerst einen Clip.</translation>
    </message>
    <message>
        <source>No attention is known yet: ask for something first.</source>
        <translation>Noch ist keine Aufmerksamkeit bekannt: Suchen Sie zuerst nach etwas.</translation>
    </message>
    <message>
        <source>The last correction changed nothing on this frame.</source>
        <translation>Die letzte Korrektur hat in diesem Bild nichts geändert.</translation>
    </message>
    <message>
        <source>Opening {0}...</source>
        <translation>{0} wird geöffnet...</translation>
    </message>
    <message>
        <source>A copy is in {0}</source>
        <translation>Eine Kopie liegt in {0}</translation>
    </message>
    <message>
        <source>About DecAF GUI</source>
        <translation>Über DecAF GUI</translation>
    </message>
    <message>
        <source>&lt;b&gt;DecAF GUI {0}&lt;/b&gt;&lt;br&gt;Language-guided video object segmentation: DecAF&apos;s attention rollout of a frozen multimodal LLM, turned into prompts for SAM2.&lt;br&gt;&lt;br&gt;Licence: Apache-2.0</source>
        <translation>&lt;b&gt;DecAF GUI {0}&lt;/b&gt;&lt;br&gt;Sprachgeführte Segmentierung von Videoobjekten: der Aufmerksamkeits-Rollout von DecAF aus einem eingefrorenen multimodalen LLM, umgesetzt in Prompts für SAM2.&lt;br&gt;&lt;br&gt;Lizenz: Apache-2.0</translation>
    </message>
    <message>
        <source>Diagnostics are on the clipboard.</source>
        <translation>Die Diagnose liegt in der Zwischenablage.</translation>
    </message>
    <message>
        <source>Tracking was broken off last time; what it had found is back. Undo takes it away.</source>
        <translation>Die Verfolgung wurde beim letzten Mal abgebrochen; ihre bisherigen Ergebnisse sind wieder da. „Rückgängig“ entfernt sie.</translation>
    </message>
</context>
<context>
    <name>ModelBox</name>
    <message>
        <source>Browse...</source>
        <translation>Durchsuchen...</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Stopped downloads go on later: complete files are kept, the file in work starts anew.</source>
        <translation>Angehaltene Downloads lassen sich später fortsetzen: Vollständige Dateien bleiben erhalten, die angefangene beginnt von vorn.</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Licence</source>
        <translation>Lizenz</translation>
    </message>
    <message>
        <source>GPU memory</source>
        <translation>GPU-Speicher</translation>
    </message>
    <message>
        <source>{0} holds no complete model: choose another place.</source>
        <translation>{0} enthält kein vollständiges Modell: Wählen Sie einen anderen Ort.</translation>
    </message>
    <message>
        <source>is here</source>
        <translation>ist vorhanden</translation>
    </message>
    <message>
        <source>not on this machine</source>
        <translation>nicht auf diesem Rechner</translation>
    </message>
    <message>
        <source>not known for this model</source>
        <translation>für dieses Modell nicht bekannt</translation>
    </message>
    <message>
        <source>about {0}: {1} for the weights, {2} for one clip</source>
        <translation>etwa {0}: {1} für die Gewichte, {2} für einen Clip</translation>
    </message>
    <message>
        <source>known when the model is here</source>
        <translation>bekannt, sobald das Modell vorhanden ist</translation>
    </message>
    <message>
        <source>about {0} for the weights, and more for each clip</source>
        <translation>etwa {0} für die Gewichte und mehr für jeden Clip</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Erneut versuchen</translation>
    </message>
    <message>
        <source>Download {0}</source>
        <translation>{0} herunterladen</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>Herunterladen</translation>
    </message>
    <message>
        <source>{0} are free on the disk of the model cache.</source>
        <translation>{0} sind auf dem Datenträger des Modell-Caches frei.</translation>
    </message>
    <message>
        <source>{0} are needed, {1} are free in {2}: make room, or set HF_HOME to a folder on another disk.</source>
        <translation>{0} werden benötigt, {1} sind in {2} frei: Schaffen Sie Platz oder setzen Sie HF_HOME auf einen Ordner auf einem anderen Datenträger.</translation>
    </message>
    <message>
        <source>Asking the hub...</source>
        <translation>Hub wird abgefragt...</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} von {1}</translation>
    </message>
    <message>
        <source>Stopping...</source>
        <translation>Wird angehalten...</translation>
    </message>
    <message>
        <source>Folder of a multimodal LLM</source>
        <translation>Ordner eines multimodalen LLM</translation>
    </message>
    <message>
        <source>Weights of SAM2</source>
        <translation>Gewichte von SAM2</translation>
    </message>
</context>
<context>
    <name>ModelsPage</name>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Free</source>
        <translation>Frei</translation>
    </message>
    <message>
        <source>{0} on the disk of the model cache ({1})</source>
        <translation>{0} auf dem Datenträger des Modell-Caches ({1})</translation>
    </message>
    <message>
        <source>GPU memory is not known until models are loaded on a GPU</source>
        <translation>Der GPU-Speicher ist erst bekannt, wenn Modelle auf eine GPU geladen sind</translation>
    </message>
    <message>
        <source>{0:.1f} of {1:.1f} GiB of GPU memory</source>
        <translation>{0:.1f} von {1:.1f} GiB GPU-Speicher</translation>
    </message>
</context>
<context>
    <name>News</name>
    <message>
        <source>{0}, {1} of {2}</source>
        <translation>{0}, {1} von {2}</translation>
    </message>
    <message>
        <source>{0}: failed</source>
        <translation>{0}: fehlgeschlagen</translation>
    </message>
    <message>
        <source>what had come is kept</source>
        <translation>bisherige Ergebnisse bleiben erhalten</translation>
    </message>
    <message>
        <source>unfinished files are in .partial</source>
        <translation>unfertige Dateien liegen in .partial</translation>
    </message>
    <message>
        <source>{0}: cancelled, {1}</source>
        <translation>{0}: abgebrochen, {1}</translation>
    </message>
    <message>
        <source>{0}: done</source>
        <translation>{0}: fertig</translation>
    </message>
    <message>
        <source>loading {0}</source>
        <translation>{0} wird geladen</translation>
    </message>
    <message>
        <source>models are loaded</source>
        <translation>Modelle sind geladen</translation>
    </message>
    <message>
        <source>seeing the frames</source>
        <translation>Bilder werden angesehen</translation>
    </message>
    <message>
        <source>reading the clip</source>
        <translation>Clip wird gelesen</translation>
    </message>
    <message>
        <source>asking the model, {0}</source>
        <translation>Modell wird befragt, {0}</translation>
    </message>
    <message>
        <source>asking for attributes</source>
        <translation>Frage nach Merkmalen</translation>
    </message>
    <message>
        <source>choosing the category</source>
        <translation>Kategorie wird gewählt</translation>
    </message>
    <message>
        <source>candidates, {0}</source>
        <translation>Kandidaten, {0}</translation>
    </message>
    <message>
        <source>tracking candidates, {0}</source>
        <translation>Kandidaten werden verfolgt, {0}</translation>
    </message>
    <message>
        <source>prompts</source>
        <translation>Prompts</translation>
    </message>
    <message>
        <source>reading {0}</source>
        <translation>lese {0}</translation>
    </message>
</context>
<context>
    <name>PrecisionPlot</name>
    <message>
        <source>Precision above each score</source>
        <translation>Genauigkeit ab jeder Bewertung</translation>
    </message>
</context>
<context>
    <name>ReceiptBar</name>
    <message>
        <source>Keep all of it</source>
        <translation>Alles behalten</translation>
    </message>
    <message>
        <source>Revert {0}</source>
        <translation>{0} zurücknehmen</translation>
    </message>
    <message>
        <source>Takes back what changed of {0} on frames {1}; the rest stays</source>
        <translation>Nimmt zurück, was sich an {0} in Bild {1} geändert hat; der Rest bleibt</translation>
    </message>
</context>
<context>
    <name>ReviewPanel</name>
    <message>
        <source>Stop; what is accepted stays accepted</source>
        <translation>Anhalten; was angenommen ist, bleibt angenommen</translation>
    </message>
    <message>
        <source>Calibration...</source>
        <translation>Kalibrierung...</translation>
    </message>
    <message>
        <source>What decisions so far say of the scores; accept what a score vouches for</source>
        <translation>Was die bisherigen Entscheidungen über die Bewertungen sagen; annehmen, wofür eine Bewertung bürgt</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>Filtern</translation>
    </message>
    <message>
        <source>Go on when all is judged</source>
        <translation>Weitergehen, wenn alles beurteilt ist</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>To review</source>
        <translation>Durchzusehen</translation>
    </message>
    <message>
        <source>Reviewed</source>
        <translation>Durchgesehen</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Gescheitert</translation>
    </message>
    <message>
        <source>Not labelled yet</source>
        <translation>Noch nicht markiert</translation>
    </message>
    <message>
        <source>Most doubtful first</source>
        <translation>Zweifelhafteste zuerst</translation>
    </message>
    <message>
        <source>Lowest score first</source>
        <translation>Niedrigste Bewertung zuerst</translation>
    </message>
    <message>
        <source>Clip by clip</source>
        <translation>Clip für Clip</translation>
    </message>
    <message>
        <source>Review: {0}</source>
        <translation>Durchsicht: {0}</translation>
    </message>
    <message>
        <source>%v of %m clips</source>
        <translation>%v von %m Clips</translation>
    </message>
    <message>
        <source>{0} of {1} reviewed</source>
        <translation>{0} von {1} durchgesehen</translation>
    </message>
    <message>
        <source>{0} failed</source>
        <translation>{0} gescheitert</translation>
    </message>
    <message>
        <source>{0} not labelled yet</source>
        <translation>{0} noch nicht markiert</translation>
    </message>
</context>
<context>
    <name>ReviewWindow</name>
    <message>
        <source>Reading the set...</source>
        <translation>Der Satz wird gelesen...</translation>
    </message>
    <message>
        <source>Close the set</source>
        <translation>Satz schließen</translation>
    </message>
    <message>
        <source>Entries can be reviewed as soon as they are labelled.</source>
        <translation>Einträge können durchgesehen werden, sobald sie markiert sind.</translation>
    </message>
    <message>
        <source>No other entry that is listed waits for review.</source>
        <translation>Kein anderer Eintrag der Liste wartet auf Durchsicht.</translation>
    </message>
    <message>
        <source>No other entry waits for review.</source>
        <translation>Kein anderer Eintrag wartet auf Durchsicht.</translation>
    </message>
    <message>
        <source>{0} could not be labelled. {1} The next run of decaf-gui prelabel tries it again.</source>
        <translation>{0} konnte nicht markiert werden. {1} Der nächste Lauf von decaf-gui prelabel versucht es wieder.</translation>
    </message>
    <message>
        <source>Candidates accepted by their score: {0} (clips: {1}).</source>
        <translation>Nach ihrer Bewertung angenommene Kandidaten: {0} (Clips: {1}).</translation>
    </message>
    <message>
        <source>Candidates that wait for a word again: {0} (clips: {1}).</source>
        <translation>Kandidaten, die wieder auf ein Wort warten: {0} (Clips: {1}).</translation>
    </message>
    <message>
        <source>{0} is not labelled yet: it can be reviewed as soon as it is.</source>
        <translation>{0} ist noch nicht markiert und kann durchgesehen werden, sobald es das ist.</translation>
    </message>
    <message>
        <source>Accept all {0} candidates above {1} that wait for a word, in {2} clips, without looking at them?

So far above it: {3}.

They are marked as accepted by their score; it can be taken back.</source>
        <translation>Alle {0} Kandidaten ab {1}, die auf ein Wort warten, in {2} Clips annehmen, ohne sie anzusehen?

Darüber bisher: {3}.

Sie werden als nach ihrer Bewertung angenommen vermerkt; das lässt sich zurücknehmen.</translation>
    </message>
    <message>
        <source>Take back</source>
        <translation>Zurücknehmen</translation>
    </message>
    <message>
        <source>{0} is as it was: {1}</source>
        <translation>{0} ist wie zuvor: {1}</translation>
    </message>
    <message>
        <source>{0} more clips are as they were.</source>
        <translation>{0} weitere Clips sind wie zuvor.</translation>
    </message>
</context>
<context>
    <name>SettingField</name>
    <message>
        <source>Reset</source>
        <translation>Zurücksetzen</translation>
    </message>
    <message>
        <source>{0}, default {1}</source>
        <translation>{0}, Standard {1}</translation>
    </message>
</context>
<context>
    <name>SettingsDialog</name>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>Modelle</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Methode</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>Hilfe</translation>
    </message>
    <message>
        <source>Pages</source>
        <translation>Seiten</translation>
    </message>
    <message>
        <source>Puts everything on this page back to its default</source>
        <translation>Setzt alles auf dieser Seite auf die Standardwerte zurück</translation>
    </message>
</context>
<context>
    <name>ShowingWindow</name>
    <message>
        <source>Demo models, know shapes only</source>
        <translation>Demo-Modelle, kennen nur Formen</translation>
    </message>
    <message>
        <source>{0}   frame {1} of {2}</source>
        <translation>{0}   Bild {1} von {2}</translation>
    </message>
    <message>
        <source>Say where it lies...</source>
        <translation>Ort angeben...</translation>
    </message>
    <message>
        <source>saved {0}</source>
        <translation>gespeichert {0}</translation>
    </message>
    <message>
        <source>range {0} to {1}</source>
        <translation>Bereich {0} bis {1}</translation>
    </message>
    <message>
        <source>Undo {0}</source>
        <translation>Rückgängig {0}</translation>
    </message>
    <message>
        <source>Redo {0}</source>
        <translation>Wiederholen {0}</translation>
    </message>
    <message>
        <source>frame {0}: {1}</source>
        <translation>Bild {0}: {1}</translation>
    </message>
    <message>
        <source>Looking for doubtful frames...</source>
        <translation>Zweifelhafte Bilder werden gesucht...</translation>
    </message>
</context>
<context>
    <name>Side</name>
    <message>
        <source>Take {0}</source>
        <translation>{0} übernehmen</translation>
    </message>
    <message>
        <source>Its candidates become those of the expression; undo takes that back</source>
        <translation>Ihre Kandidaten werden die des Ausdrucks; Rückgängig nimmt das zurück</translation>
    </message>
    <message>
        <source>waiting for the models</source>
        <translation>wartet auf die Modelle</translation>
    </message>
    <message>
        <source>answers {0}</source>
        <translation>antwortet {0}</translation>
    </message>
    <message>
        <source>as it is in the project</source>
        <translation>wie es im Projekt steht</translation>
    </message>
    <message>
        <source>nothing was selected</source>
        <translation>nichts wurde ausgewählt</translation>
    </message>
    <message>
        <source>score {0:.2f}, from frame {1}</source>
        <translation>Bewertung {0:.2f}, von Bild {1}</translation>
    </message>
    <message>
        <source>&lt;b&gt;not among the other&apos;s&lt;/b&gt;</source>
        <translation>&lt;b&gt;nicht unter denen der anderen&lt;/b&gt;</translation>
    </message>
    <message>
        <source>the other has it, too</source>
        <translation>die andere hat es auch</translation>
    </message>
</context>
<context>
    <name>StartPage</name>
    <message>
        <source>Say what to look for in a clip; judge, correct and export the masks that are proposed.</source>
        <translation>Sagen Sie, wonach in einem Clip gesucht werden soll; beurteilen, korrigieren und exportieren Sie die vorgeschlagenen Masken.</translation>
    </message>
    <message>
        <source>Open clips
or a project</source>
        <translation>Clips oder
Projekt öffnen</translation>
    </message>
    <message>
        <source>Open a folder
of images</source>
        <translation>Ordner mit
Bildern öffnen</translation>
    </message>
    <message>
        <source>Review a
pre-labelled set</source>
        <translation>Vormarkierten Satz
durchsehen</translation>
    </message>
    <message>
        <source>Try
the demo</source>
        <translation>Demo
ausprobieren</translation>
    </message>
    <message>
        <source>Models
and settings</source>
        <translation>Modelle und
Einstellungen</translation>
    </message>
    <message>
        <source>Recent projects</source>
        <translation>Zuletzt geöffnete Projekte</translation>
    </message>
    <message>
        <source>Projects that you open are listed here. Clips can be dropped on this window, too.</source>
        <translation>Hier erscheinen Projekte, die Sie öffnen. Clips lassen sich auch auf dieses Fenster ziehen.</translation>
    </message>
    <message>
        <source>is not there any more</source>
        <translation>ist nicht mehr vorhanden</translation>
    </message>
    <message>
        <source>{0} is not there any more; it is not listed from now on.</source>
        <translation>{0} ist nicht mehr vorhanden und wird nicht mehr aufgeführt.</translation>
    </message>
</context>
<context>
    <name>Timeline</name>
    <message>
        <source>Open a clip to see its frames here.</source>
        <translation>Öffnen Sie einen Clip, um hier seine Bilder zu sehen.</translation>
    </message>
    <message>
        <source>attention</source>
        <translation>Aufmerksamkeit</translation>
    </message>
</context>
<context>
    <name>ToolStrip</name>
    <message>
        <source>masks</source>
        <translation>Masken</translation>
    </message>
    <message>
        <source>contours</source>
        <translation>Konturen</translation>
    </message>
    <message>
        <source>masks only</source>
        <translation>nur Masken</translation>
    </message>
    <message>
        <source>frame only</source>
        <translation>nur Bild</translation>
    </message>
    <message>
        <source>How masks are shown (M)</source>
        <translation>Wie Masken angezeigt werden (M)</translation>
    </message>
    <message>
        <source>Where the model looked: all of it, or one of the maps that were fused (T)</source>
        <translation>Wohin das Modell geschaut hat: alles oder eine der fusionierten Karten (T)</translation>
    </message>
    <message>
        <source>Opacity of masks</source>
        <translation>Deckkraft der Masken</translation>
    </message>
    <message>
        <source>Opacity of the attention</source>
        <translation>Deckkraft der Aufmerksamkeit</translation>
    </message>
    <message>
        <source>Radius of the brush in pixels of the frame (Ctrl+wheel)</source>
        <translation>Radius des Pinsels in Pixeln des Bildes (Strg+Mausrad)</translation>
    </message>
    <message>
        <source>Brush</source>
        <translation>Pinsel</translation>
    </message>
    <message>
        <source>Overlay</source>
        <translation>Überlagerung</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>Aufmerksamkeit</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
</context>
<context>
    <name>View</name>
    <message>
        <source>Choose a candidate first: Up and Down go through them.</source>
        <translation>Wählen Sie zuerst einen Kandidaten: Up und Down blättern durch die Liste.</translation>
    </message>
    <message>
        <source>Ask for something first.</source>
        <translation>Suchen Sie zuerst nach etwas.</translation>
    </message>
    <message>
        <source>Choose an object first, or click on a new one with the left button.</source>
        <translation>Wählen Sie zuerst ein Objekt oder klicken Sie mit der linken Taste auf ein neues.</translation>
    </message>
    <message>
        <source>Choose an object first: there is nothing to erase.</source>
        <translation>Wählen Sie zuerst ein Objekt: Es gibt nichts zu radieren.</translation>
    </message>
    <message>
        <source>Choose an object to be tracked first.</source>
        <translation>Wählen Sie zuerst ein Objekt, das verfolgt werden soll.</translation>
    </message>
    <message>
        <source>Choose an object first.</source>
        <translation>Wählen Sie zuerst ein Objekt.</translation>
    </message>
</context>
<context>
    <name>WorkBar</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
</context>
</TS>
