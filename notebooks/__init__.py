"""The notebooks, installed as pynq_bnn_notebooks: ``pynq get-notebooks pynq_bnn`` copies them."""
