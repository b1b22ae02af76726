"""The browser's door: page config and navigation, nothing else."""

import streamlit as st

# A file of ours: an icon by name would be fetched from elsewhere.
st.set_page_config(page_title="Vitrine", page_icon="assets/icon.png", layout="wide")

st.navigation(
    {
        "Explain": [st.Page("pages/offering.py", title="Offering", default=True)],
        "About": [st.Page("pages/methods.py", title="Methods")],
    }
).run()
